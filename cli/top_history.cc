#include "cli/top_history.h"

namespace kvbroker::cli {
namespace {

constexpr uint64_t kRateOverMs = 2000;

uint64_t Of(const std::map<std::string, uint64_t, std::less<>>& granted, absl::string_view tenant) {
  const auto it = granted.find(tenant);
  return it == granted.end() ? 0 : it->second;
}

}  // namespace

void TopHistory::Add(const admin::v1::Snapshot& sample) {
  if (!samples_.empty() && sample.time_ms() <= samples_.back().time_ms) {
    samples_.clear();
    columns_.clear();
  }
  Sample& added = samples_.emplace_back();
  added.time_ms = sample.time_ms();
  added.grants = sample.status().counters().grants();
  for (const admin::v1::Tenant& tenant : sample.tenants()) added.granted[tenant.name()] = tenant.granted();
  while (samples_.size() > 2 && added.time_ms - samples_[1].time_ms >= kRateOverMs) samples_.pop_front();
  const bool same_column = !columns_.empty() && columns_.back().time_ms / kColumnMs == added.time_ms / kColumnMs;
  if (same_column) columns_.pop_back();
  columns_.push_back(added);
  if (columns_.size() > kColumns) columns_.pop_front();
}

std::vector<uint64_t> TopHistory::Granted(absl::string_view tenant) const {
  std::vector<uint64_t> values;
  for (const Sample& column : columns_) values.push_back(Of(column.granted, tenant));
  return values;
}

const TopHistory::Sample* TopHistory::Before() const { return samples_.size() < 2 ? nullptr : &samples_.front(); }

double TopHistory::BytesPerSecond(absl::string_view tenant) const {
  const Sample* before = Before();
  if (before == nullptr) return 0;
  const double change =
      static_cast<double>(Of(samples_.back().granted, tenant)) - static_cast<double>(Of(before->granted, tenant));
  return change * 1000 / static_cast<double>(samples_.back().time_ms - before->time_ms);
}

double TopHistory::GrantsPerSecond() const {
  const Sample* before = Before();
  if (before == nullptr || samples_.back().grants < before->grants) return 0;
  return static_cast<double>(samples_.back().grants - before->grants) * 1000 /
         static_cast<double>(samples_.back().time_ms - before->time_ms);
}

}  // namespace kvbroker::cli
