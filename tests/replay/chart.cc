#include "tests/replay/chart.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace kvbroker::replay {
namespace {

// Told apart by people who do not see all colours, too (after Okabe and Ito).
constexpr const char* kColours[] = {"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6d31"};
constexpr char kGrey[] = "#bbbbbb";
constexpr char kRed[] = "#b00020";

constexpr double kWidth = 960;
constexpr double kLeft = 64;
constexpr double kRight = 24;
constexpr double kTop = 84;
constexpr double kMainHeight = 280;
constexpr double kPanelHeight = 96;
constexpr double kGap = 30;
constexpr size_t kPoints = 900;

const char* ColourOf(size_t tenant) { return kColours[tenant % std::size(kColours)]; }

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

// Amounts in the unit that suits the picture.
struct Unit {
  const char* name;
  double bytes;

  double Of(Bytes bytes_count) const { return static_cast<double>(bytes_count.in_bytes()) / bytes; }
  std::string Text(Bytes bytes_count) const {
    const double value = Of(bytes_count);
    return absl::StrFormat("%.*f %s", value >= 100 || value == std::floor(value) ? 0 : 1, value, name);
  }
};

Unit UnitFor(Bytes largest) { return largest >= GiB(4) ? Unit{"GiB", 0x1p30} : Unit{"MiB", 0x1p20}; }

// One set of axes: where amounts and times lie in the picture. Draws into `svg`.
class Panel {
 public:
  Panel(std::string& svg, double top, double height, double seconds, double amount)
      : svg_(svg), top_(top), height_(height), seconds_(seconds), amount_(amount) {}

  double X(double seconds) const {
    return kLeft + (kWidth - kLeft - kRight) * std::clamp(seconds / seconds_, 0.0, 1.0);
  }
  double Y(double amount) const { return top_ + height_ * (1 - std::min(1.0, amount / amount_)); }
  double bottom() const { return top_ + height_; }

  void Axes(int ticks) {
    const double step = internal::TickStep(amount_, ticks);
    for (double amount = 0; amount <= amount_; amount += step) {
      Line(0, amount, seconds_, amount, "#e6e6e6", 1, "");
      absl::StrAppendFormat(&svg_, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n", kLeft - 8,
                            Y(amount) + 4, amount);
    }
  }

  void TimeAxis() {
    const double step = internal::TimeTickStep(seconds_, 12);
    for (double at = 0; at <= seconds_; at += step) {
      absl::StrAppendFormat(&svg_, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g</text>\n", X(at),
                            bottom() + 16, at);
    }
    absl::StrAppendFormat(&svg_, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\" class=\"dim\">seconds</text>\n",
                          kWidth - kRight, bottom() + 32);
  }

  void Line(double x1, double y1, double x2, double y2, const char* colour, double width, const char* dashes) {
    absl::StrAppendFormat(&svg_,
                          "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%g\" "
                          "stroke-dasharray=\"%s\"/>\n",
                          X(x1), Y(y1), X(x2), Y(y2), colour, width, dashes);
  }

  // A level through all the time, its meaning written on it at the right.
  void Level(double amount, const std::string& text, const char* colour, const char* dashes) {
    Line(0, amount, seconds_, amount, colour, 1.5, dashes);
    Label(amount, text, colour);
  }

  void Label(double amount, const std::string& text, const char* colour) {
    absl::StrAppendFormat(&svg_,
                          "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\" style=\"fill:%s\" class=\"on\">%s</text>\n",
                          kWidth - kRight - 4, Y(amount) - 5, colour, Escaped(text));
  }

  void Curve(const std::vector<double>& seconds, const std::function<double(size_t)>& amount, const char* colour) {
    if (seconds.empty()) return;
    absl::StrAppend(&svg_, "<path d=\"");
    for (size_t i = 0; i < seconds.size(); ++i) Point(i == 0 ? 'M' : 'L', seconds[i], amount(i));
    absl::StrAppendFormat(&svg_, "\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\"/>\n", colour);
  }

  // The area between two functions of the point's number.
  void Area(const std::vector<double>& seconds, const std::function<double(size_t)>& low,
            const std::function<double(size_t)>& high, const char* colour, double opacity) {
    if (seconds.empty()) return;
    absl::StrAppend(&svg_, "<path d=\"");
    for (size_t i = 0; i < seconds.size(); ++i) Point(i == 0 ? 'M' : 'L', seconds[i], high(i));
    for (size_t i = seconds.size(); i-- > 0;) Point('L', seconds[i], low(i));
    absl::StrAppendFormat(&svg_, "Z\" fill=\"%s\" fill-opacity=\"%g\"/>\n", colour, opacity);
  }

  void Text(double x, double y_offset, const std::string& text, const char* attributes) {
    absl::StrAppendFormat(&svg_, "<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>\n", x, top_ + y_offset, attributes,
                          Escaped(text));
  }

 private:
  void Point(char command, double seconds, double amount) {
    absl::StrAppendFormat(&svg_, "%c%.1f %.1f", command, X(seconds), Y(amount));
  }

  std::string& svg_;  // Not owned.
  double top_;
  double height_;
  double seconds_;
  double amount_;
};

// The samples that are drawn.
struct Drawn {
  std::vector<const BrokerSample*> samples;
  std::vector<double> seconds;
};

Drawn Choose(const Report& report) {
  Drawn drawn;
  for (const size_t i : internal::Thinned(report.samples, kPoints)) {
    drawn.samples.push_back(&report.samples[i]);
    drawn.seconds.push_back(report.samples[i].seconds);
  }
  return drawn;
}

void DrawLegend(std::string& svg, const Report& report, const Unit& unit) {
  double x = kLeft;
  const auto entry = [&](const char* colour, const std::string& text) {
    absl::StrAppendFormat(&svg,
                          "<rect x=\"%.1f\" y=\"46\" width=\"12\" height=\"12\" fill=\"%s\"/>"
                          "<text x=\"%.1f\" y=\"56\">%s</text>\n",
                          x, colour, x + 18, Escaped(text));
    x += 40 + 6.6 * static_cast<double>(text.size());
  };
  for (size_t i = 0; i < report.tenants.size(); ++i) {
    entry(ColourOf(i), absl::StrCat(report.tenants[i].name, ", peak ", unit.Text(report.peak(i))));
  }
  const bool others = std::any_of(report.samples.begin(), report.samples.end(),
                                  [](const BrokerSample& sample) { return !sample.held_by_others.IsZero(); });
  if (others) entry(kGrey, "other tenants");
}

void DrawTogether(std::string& svg, const Report& report, const Drawn& drawn, double seconds, const Unit& unit) {
  const Bytes highest = std::max({report.capacity(), report.largest_sum(), report.sum_of_peaks()});
  Panel panel(svg, kTop, kMainHeight, seconds, std::max(1.0, unit.Of(highest) * 1.1));
  panel.Axes(8);
  panel.Text(kLeft - 8, -8, unit.name, "text-anchor=\"end\" class=\"dim\"");
  // Sums from the bottom up; the other tenants' lie lowest.
  std::vector<double> low(drawn.samples.size());
  std::vector<double> high;
  for (const BrokerSample* sample : drawn.samples) high.push_back(unit.Of(sample->held_by_others));
  panel.Area(
      drawn.seconds, [&](size_t i) { return low[i]; }, [&](size_t i) { return high[i]; }, kGrey, 0.9);
  for (size_t tenant = 0; tenant < report.tenants.size(); ++tenant) {
    low = high;
    for (size_t i = 0; i < high.size(); ++i) high[i] += unit.Of(drawn.samples[i]->held[tenant]);
    panel.Area(
        drawn.seconds, [&](size_t i) { return low[i]; }, [&](size_t i) { return high[i]; }, ColourOf(tenant), 0.85);
  }
  panel.Curve(
      drawn.seconds, [&](size_t i) { return unit.Of(drawn.samples[i]->capacity); }, kRed);
  panel.Label(unit.Of(report.capacity()), absl::StrCat("capacity ", unit.Text(report.capacity())), kRed);
  panel.Level(unit.Of(report.sum_of_peaks()),
              absl::StrCat("sum of the tenants' own peaks ", unit.Text(report.sum_of_peaks())), "#555555", "6 4");
  panel.TimeAxis();
}

void DrawTenant(std::string& svg, const Report& report, const Drawn& drawn, size_t tenant, double top, double seconds,
                double amount, const Unit& unit) {
  const TenantReport& own = report.tenants[tenant];
  Panel panel(svg, top, kPanelHeight, seconds, amount);
  panel.Axes(4);
  panel.Area(
      drawn.seconds, [](size_t) { return 0.0; }, [&](size_t i) { return unit.Of(drawn.samples[i]->held[tenant]); },
      ColourOf(tenant), 0.4);
  const Result& result = own.result;
  panel.Area(
      result.sample_seconds, [](size_t) { return 0.0; },
      [&](size_t i) { return result.sample_in_blocks[i] / unit.bytes; }, ColourOf(tenant), 0.9);
  std::string text = absl::StrCat(own.name, ": held (light), of that in blocks (dark)");
  if (own.limit && unit.Of(*own.limit) <= amount) {
    panel.Level(unit.Of(*own.limit), absl::StrCat("limit ", unit.Text(*own.limit)), kRed, "2 3");
  } else if (own.limit) {
    absl::StrAppend(&text, "; limit ", unit.Text(*own.limit));
  }
  panel.Text(kLeft, -8, text, "class=\"head\"");
}

}  // namespace

std::string ToSvg(const Report& report) {
  const Drawn drawn = Choose(report);
  const Unit unit = UnitFor(std::max(report.capacity(), report.sum_of_peaks()));
  const double seconds = std::max({1.0, report.seconds(), drawn.seconds.empty() ? 0 : drawn.seconds.back()});
  const size_t tenants = report.tenants.size();
  const double panels_top = kTop + kMainHeight + 2 * kGap + 14;
  const double height = panels_top + static_cast<double>(tenants) * (kPanelHeight + kGap) + 24;

  // One scale for all tenants; limits far above what was held would only flatten the rest.
  double amount = 1;
  for (size_t i = 0; i < tenants; ++i) amount = std::max(amount, unit.Of(report.peak(i)) * 1.15);
  for (const TenantReport& tenant : report.tenants) {
    if (tenant.limit && unit.Of(*tenant.limit) < amount * 2) amount = std::max(amount, unit.Of(*tenant.limit) * 1.2);
  }

  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\" height=\"%g\" role=\"img\">\n"
      "<title>%s</title>\n"
      "<style>text{font:12px system-ui,sans-serif;fill:#222}.dim{fill:#777}.head{font-weight:600}"
      ".on{font-weight:600;paint-order:stroke;stroke:#fff;stroke-width:3px}</style>\n"
      "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
      "<text x=\"%g\" y=\"26\" style=\"font-size:15px;font-weight:600\">Memory held by each tenant</text>\n"
      "<text x=\"%g\" y=\"26\" text-anchor=\"end\" class=\"dim\">%s</text>\n",
      kWidth, height, kWidth, height, Escaped(report.title), kLeft, kWidth - kRight, Escaped(report.title));
  DrawLegend(svg, report, unit);
  DrawTogether(svg, report, drawn, seconds, unit);
  for (size_t i = 0; i < tenants; ++i) {
    DrawTenant(svg, report, drawn, i, panels_top + static_cast<double>(i) * (kPanelHeight + kGap), seconds, amount,
               unit);
  }
  return svg + "</svg>\n";
}

namespace internal {

double TickStep(double max, int most) {
  double step = std::pow(10, std::floor(std::log10(max / most)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    if (max / (step * factor) <= most) return step * factor;
  }
  return step * 10;
}

double TimeTickStep(double max, int most) {
  for (const double step : {15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0}) {
    if (max / step <= most && max > 60) return step;
  }
  return TickStep(max, most);
}

std::vector<size_t> Thinned(const std::vector<BrokerSample>& samples, size_t most) {
  const size_t stretch = std::max<size_t>(1, (samples.size() + most - 1) / most);
  std::vector<size_t> chosen;
  for (size_t start = 0; start < samples.size(); start += stretch) {
    size_t best = start;
    for (size_t i = start; i < std::min(start + stretch, samples.size()); ++i) {
      if (samples[i].sum() > samples[best].sum()) best = i;
    }
    if (start == 0 && best != 0) chosen.push_back(0);
    chosen.push_back(best);
  }
  if (!chosen.empty() && chosen.back() + 1 != samples.size()) chosen.push_back(samples.size() - 1);
  return chosen;
}

}  // namespace internal
}  // namespace kvbroker::replay
