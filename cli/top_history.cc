#include "cli/top_history.h"

#include <algorithm>

namespace kvbroker::cli {
namespace {

constexpr uint64_t kRateOverMs = 2000;

uint64_t Of(const std::map<std::string, uint64_t, std::less<>>& granted, absl::string_view tenant) {
  const auto it = granted.find(tenant);
  return it == granted.end() ? 0 : it->second;
}

}  // namespace

void TopHistory::Add(const admin::v1::Snapshot& sample) {
  if (!samples_.empty() && sample.time_ms() <= samples_.back().time_ms) samples_.clear();
  Sample& added = samples_.emplace_back();
  added.time_ms = sample.time_ms();
  added.grants = sample.status().counters().grants();
  for (const admin::v1::Tenant& tenant : sample.tenants()) added.granted[tenant.name()] = tenant.granted();
  if (samples_.size() > kSamples) samples_.pop_front();
}

std::vector<uint64_t> TopHistory::Granted(absl::string_view tenant, size_t count) const {
  std::vector<uint64_t> values;
  for (size_t i = samples_.size() - std::min(count, samples_.size()); i < samples_.size(); ++i) {
    values.push_back(Of(samples_[i].granted, tenant));
  }
  return values;
}

const TopHistory::Sample* TopHistory::Before() const {
  if (samples_.size() < 2) return nullptr;
  const uint64_t now = samples_.back().time_ms;
  size_t before = samples_.size() - 2;
  while (before > 0 && now - samples_[before].time_ms < kRateOverMs) --before;
  return &samples_[before];
}

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
