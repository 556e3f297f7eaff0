#include "cli/top_view.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/headline.h"
#include "cli/holding.h"
#include "cli/policy_text.h"

namespace kvbroker::cli {
namespace {

constexpr size_t kWidestName = 20;
constexpr size_t kNumberWidth = 10;  // "1023.9 GiB"
constexpr size_t kSignedWidth = kNumberWidth + 1;
constexpr size_t kNarrowestBar = 20;

// What has its place beside names and bars; the last ones go first where the window is narrow.
enum Column { kGranted, kWants, kRate, kPast, kLimit, kColumns };
constexpr size_t kWidths[kColumns] = {kNumberWidth, kSignedWidth, kSignedWidth, TopHistory::kColumns, kNumberWidth};

struct Layout {
  size_t name = 0;
  size_t bar = 0;
  size_t columns = kColumns;  // the first so many of them
};

uint64_t MoreWanted(const admin::v1::Tenant& tenant) {
  return tenant.wanted() - std::min(tenant.wanted(), tenant.granted());
}

std::string FormatMore(uint64_t bytes) { return bytes == 0 ? "" : absl::StrCat("+", FormatSize(bytes)); }

// What is less than a slot in a second is no change.
std::string FormatRate(double bytes_per_second) {
  constexpr double kLeast = 1 << 20;
  if (std::abs(bytes_per_second) < kLeast) return "";
  return absl::StrCat(bytes_per_second < 0 ? "-" : "+", FormatSize(static_cast<uint64_t>(std::abs(bytes_per_second))));
}

Layout LayoutFor(const admin::v1::Snapshot& snapshot, size_t width) {
  Layout layout;
  layout.name = Width("TENANT");
  for (const admin::v1::Tenant& tenant : snapshot.tenants()) {
    layout.name = std::clamp(Width(tenant.name()), layout.name, kWidestName);
  }
  const auto left = [&] {
    size_t taken = layout.name + 1;
    for (size_t i = 0; i < layout.columns; ++i) taken += kWidths[i] + 1;
    return width - std::min(width, taken);
  };
  while (layout.columns > 1 && left() < kNarrowestBar) --layout.columns;
  layout.bar = left();
  return layout;
}

// `cells`: in the order of the columns.
Line Row(const Layout& layout, Span name, Line bar, const std::vector<Span>& cells) {
  Line line = {{PadRight(Cut(name.text, layout.name), layout.name), name.style}, {" ", Style::kPlain}};
  for (Span& span : bar) line.push_back(std::move(span));
  for (size_t i = 0; i < layout.columns; ++i) {
    line.push_back({absl::StrCat(" ", PadLeft(cells[i].text, kWidths[i])), cells[i].style});
  }
  return line;
}

Line HeadingRow(const Layout& layout) {
  Line line = Row(layout, {"TENANT"}, {{std::string(layout.bar, ' ')}},
                  {{"GRANTED"}, {"WANTS MORE"}, {"CHANGE/S"}, {"HISTORY"}, {"LIMIT"}});
  for (Span& span : line) span.style = Style::kDim;
  return line;
}

// By what it would cost to give it back, dearest first; what is not reported is taken for used.
std::vector<BarPart> Parts(const admin::v1::Tenant& tenant) {
  const admin::v1::Holding& holding = tenant.holding();
  uint64_t left = tenant.granted();
  const auto take = [&left](uint64_t bytes) {
    const uint64_t taken = std::min(bytes, left);
    left -= taken;
    return taken;
  };
  const uint64_t free = take(FreeBytes(holding));
  const uint64_t cached = take(CachedBytes(holding));
  return {{left, "█", Style::kGreen},
          {cached, "▓", Style::kCyan},
          {free, "▒", Style::kDim},
          {MoreWanted(tenant), "░", Style::kYellow}};
}

Line TenantRow(const Layout& layout, const admin::v1::Tenant& tenant, uint64_t scale, const TopHistory& history) {
  const admin::v1::TenantPolicy& policy = tenant.policy();
  const std::optional<uint64_t> limit = policy.unlimited() ? std::nullopt : std::optional(policy.limit());
  const Style granted = limit.has_value() && tenant.granted() > *limit ? Style::kRed : Style::kPlain;
  return Row(layout, {tenant.name()}, PartedBar(Parts(tenant), scale, limit, layout.bar),
             {{FormatSize(tenant.granted()), granted},
              {FormatMore(MoreWanted(tenant)), Style::kYellow},
              {FormatRate(history.BytesPerSecond(tenant.name()))},
              {Sparkline(history.Granted(tenant.name())), Style::kGreen},
              {FormatLimit(policy)}});
}

Line TotalRow(const Layout& layout, const admin::v1::Snapshot& snapshot, const TopHistory& history) {
  const admin::v1::Memory& memory = snapshot.status().memory();
  uint64_t more = 0;
  double rate = 0;
  for (const admin::v1::Tenant& tenant : snapshot.tenants()) {
    more += MoreWanted(tenant);
    rate += history.BytesPerSecond(tenant.name());
  }
  return Row(
      layout, {"total", Style::kBold},
      Bar({.scale = memory.capacity(), .granted = memory.granted(), .wanted = memory.granted() + more}, layout.bar),
      {{FormatSize(memory.granted()), Style::kBold},
       {FormatMore(more), Style::kYellow},
       {FormatRate(rate)},
       {""},
       {FormatSize(memory.capacity())}});
}

Line MemoryLine(const admin::v1::Status& status, const TopHistory& history, size_t width) {
  const admin::v1::Memory& memory = status.memory();
  const std::string asked =
      memory.asked_back() == 0 ? "" : absl::StrCat("  asked back ", FormatSize(memory.asked_back()));
  return {{Cut(absl::StrCat("waiting ", FormatSize(memory.waiting()), asked, "  room ", FormatSize(memory.room()),
                            "  others ", FormatSize(memory.used_by_others()), "  free ",
                            FormatSize(memory.driver_free()), "  ", Count(status.sessions(), "session"), "  ",
                            absl::StrFormat("%.0f", history.GrantsPerSecond()), " grants/s"),
               width)}};
}

}  // namespace

std::vector<std::string> RenderTop(const admin::v1::Snapshot& snapshot, const TopHistory& history, WindowSize window,
                                   Colour colour, absl::string_view trouble) {
  const Layout layout = LayoutFor(snapshot, window.columns);
  std::vector<Line> head = {{{Cut(Headline(snapshot.status()), window.columns), Style::kBold}}, {}, HeadingRow(layout)};
  std::vector<Line> tail = {
      TotalRow(layout, snapshot, history),
      {},
      MemoryLine(snapshot.status(), history, window.columns),
      {{Cut("█ in use  ▓ cached  ▒ free in the engine  ░ wanted, not granted  │ limit", window.columns), Style::kDim}},
      {{Cut("Bar: the capacity is its width. History: of a minute, each by its own maximum.", window.columns),
        Style::kDim}},
  };
  if (snapshot.status().refuses_new_sessions()) {
    head[1] = {{Cut("drained: no new sessions are admitted", window.columns), Style::kYellow}};
  }
  if (!trouble.empty()) head[1] = {{Cut(trouble, window.columns), Style::kRed}};
  // A window too small for all loses what explains them first, then tenants.
  const auto tenants = static_cast<size_t>(snapshot.tenants_size());
  while (tail.size() > 1 && head.size() + tenants + tail.size() > window.rows) tail.pop_back();
  const size_t space = window.rows - std::min(window.rows, head.size() + tail.size());
  const size_t shown = tenants <= space ? tenants : space - std::min<size_t>(space, 1);

  std::vector<Line> lines = std::move(head);
  for (size_t i = 0; i < shown; ++i) {
    lines.push_back(
        TenantRow(layout, snapshot.tenants(static_cast<int>(i)), snapshot.status().memory().capacity(), history));
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
