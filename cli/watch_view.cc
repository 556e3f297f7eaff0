#include "cli/watch_view.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/headline.h"
#include "cli/policy_text.h"

namespace kvbroker::cli {
namespace {

constexpr size_t kWidestName = 20;
constexpr size_t kNumberWidth = 10;  // "1023.9 GiB"
constexpr size_t kWantWidth = 12;
constexpr size_t kNarrowestBar = 10;

// Where the columns stand: name, bar, granted, limit, wants; the last ones go first where the window is narrow.
struct Columns {
  size_t name = 0;
  size_t bar = 0;
  bool limit = true;
  bool wants = true;
};

uint64_t MoreWanted(const admin::v1::Tenant& tenant) {
  return tenant.wanted() - std::min(tenant.wanted(), tenant.granted());
}

std::string FormatMore(uint64_t bytes) { return bytes == 0 ? "" : absl::StrCat("+", FormatSize(bytes)); }

Columns ColumnsFor(const admin::v1::Snapshot& snapshot, size_t width) {
  Columns columns;
  columns.name = Width("TENANT");
  for (const admin::v1::Tenant& tenant : snapshot.tenants()) {
    columns.name = std::clamp(Width(tenant.name()), columns.name, kWidestName);
  }
  const auto left = [&] {
    const size_t taken =
        columns.name + 2 + kNumberWidth + (columns.limit ? kNumberWidth + 1 : 0) + (columns.wants ? kWantWidth : 0);
    return width - std::min(width, taken);
  };
  if (left() < kNarrowestBar) columns.wants = false;
  if (left() < kNarrowestBar) columns.limit = false;
  columns.bar = left();
  return columns;
}

Line Row(const Columns& columns, Line bar, Span name, Span granted, absl::string_view limit, Span wants) {
  Line line = {{PadRight(Cut(name.text, columns.name), columns.name), name.style}, {" ", Style::kPlain}};
  for (Span& span : bar) line.push_back(std::move(span));
  line.push_back({absl::StrCat(" ", PadLeft(granted.text, kNumberWidth)), granted.style});
  if (columns.limit) line.push_back({absl::StrCat(" ", PadLeft(limit, kNumberWidth)), Style::kPlain});
  if (columns.wants) line.push_back({PadLeft(wants.text, kWantWidth), wants.style});
  return line;
}

Line HeadingRow(const Columns& columns) {
  Line line = Row(columns, {{std::string(columns.bar, ' ')}}, {"TENANT"}, {"GRANTED"}, "LIMIT", {"WANTS MORE"});
  for (Span& span : line) span.style = Style::kDim;
  return line;
}

Line TenantRow(const Columns& columns, const admin::v1::Tenant& tenant, uint64_t scale) {
  BarValues values = {.scale = scale, .granted = tenant.granted(), .wanted = tenant.wanted()};
  const admin::v1::TenantPolicy& policy = tenant.policy();
  if (!policy.unlimited()) values.limit = policy.limit();
  const bool over = !policy.unlimited() && tenant.granted() > policy.limit();
  return Row(columns, Bar(values, columns.bar, over ? Style::kRed : Style::kGreen), {tenant.name()},
             {FormatSize(tenant.granted()), over ? Style::kRed : Style::kPlain}, FormatLimit(policy),
             {FormatMore(MoreWanted(tenant)), Style::kYellow});
}

Line TotalRow(const Columns& columns, const admin::v1::Snapshot& snapshot) {
  const admin::v1::Memory& memory = snapshot.status().memory();
  uint64_t more = 0;
  for (const admin::v1::Tenant& tenant : snapshot.tenants()) more += MoreWanted(tenant);
  return Row(
      columns,
      Bar({.scale = memory.capacity(), .granted = memory.granted(), .wanted = memory.granted() + more}, columns.bar),
      {"total", Style::kBold}, {FormatSize(memory.granted()), Style::kBold}, FormatSize(memory.capacity()),
      {FormatMore(more), Style::kYellow});
}

Line MemoryLine(const admin::v1::Status& status, size_t width) {
  const admin::v1::Memory& memory = status.memory();
  const std::string asked =
      memory.asked_back() == 0 ? "" : absl::StrCat("  asked back ", FormatSize(memory.asked_back()));
  return {{Cut(absl::StrCat("waiting ", FormatSize(memory.waiting()), asked, "  room ", FormatSize(memory.room()),
                            "  others ", FormatSize(memory.used_by_others()), "  free ",
                            FormatSize(memory.driver_free()), "  ", Count(status.sessions(), "session")),
               width)}};
}

}  // namespace

std::vector<std::string> RenderWatch(const admin::v1::Snapshot& snapshot, WindowSize window, Colour colour) {
  const Columns columns = ColumnsFor(snapshot, window.columns);
  std::vector<Line> head = {
      {{Cut(Headline(snapshot.status()), window.columns), Style::kBold}}, {}, HeadingRow(columns)};
  std::vector<Line> tail = {
      TotalRow(columns, snapshot),
      {},
      MemoryLine(snapshot.status(), window.columns),
      {{Cut("█ granted  ░ wanted, not granted  │ limit  width: the capacity", window.columns), Style::kDim}},
  };
  // A window too small for all loses what explains them first, then tenants.
  const auto tenants = static_cast<size_t>(snapshot.tenants_size());
  while (tail.size() > 1 && head.size() + tenants + tail.size() > window.rows) tail.pop_back();
  const size_t space = window.rows - std::min(window.rows, head.size() + tail.size());
  const size_t shown = tenants <= space ? tenants : space - std::min<size_t>(space, 1);

  std::vector<Line> lines = std::move(head);
  for (size_t i = 0; i < shown; ++i) {
    lines.push_back(TenantRow(columns, snapshot.tenants(static_cast<int>(i)), snapshot.status().memory().capacity()));
  }
  if (shown < tenants) lines.push_back({{absl::StrCat("… and ", tenants - shown, " more"), Style::kDim}});
  for (Line& line : tail) lines.push_back(std::move(line));
  if (lines.size() > window.rows) lines.resize(window.rows);

  std::vector<std::string> painted;
  for (const Line& line : lines) painted.push_back(Paint(line, colour, window.columns));
  return painted;
}

std::string RenderSample(const admin::v1::Snapshot& snapshot) {
  const admin::v1::Memory& memory = snapshot.status().memory();
  std::string line = absl::StrCat(FormatDuration(snapshot.time_ms()), "  granted ", FormatSize(memory.granted()),
                                  " of ", FormatSize(memory.capacity()), "  waiting ", FormatSize(memory.waiting()));
  for (const admin::v1::Tenant& tenant : snapshot.tenants()) {
    const std::string more = FormatMore(MoreWanted(tenant));
    absl::StrAppend(&line, "  ", tenant.name(), " ", FormatSize(tenant.granted()), more.empty() ? "" : " ", more);
  }
  return absl::StrCat(line, "\n");
}

}  // namespace kvbroker::cli
