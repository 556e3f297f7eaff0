#include "cli/format.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace kvbroker::cli {
namespace {

bool StartsCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

// The first `width` characters of `text`.
absl::string_view First(absl::string_view text, size_t width) {
  size_t end = 0;
  for (size_t seen = 0; end < text.size(); ++end) {
    if (StartsCharacter(text[end]) && seen++ == width) break;
  }
  return text.substr(0, end);
}

const char* Escape(Style style) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kDim:
      return "\x1b[2m";
    case Style::kBold:
      return "\x1b[1m";
    case Style::kGreen:
      return "\x1b[32m";
    case Style::kYellow:
      return "\x1b[33m";
    case Style::kRed:
      return "\x1b[31m";
    case Style::kCyan:
      return "\x1b[36m";
  }
  return "";
}

void DropBlanksAtEnd(Line& line) {
  while (!line.empty()) {
    line.back().text.resize(absl::StripTrailingAsciiWhitespace(line.back().text).size());
    if (!line.back().text.empty()) return;
    line.pop_back();
  }
}

// A column of a bar.
struct Cell {
  absl::string_view character;
  Style style;
};

// Where `bytes` lies on a bar, in eighths of a column; nothing alone is at 0.
size_t Eighths(uint64_t bytes, uint64_t scale, size_t width) {
  if (bytes == 0 || scale == 0) return 0;
  const double share = std::min(1.0, static_cast<double>(bytes) / static_cast<double>(scale));
  return std::max<size_t>(1, static_cast<size_t>(std::lround(share * static_cast<double>(width * 8))));
}

// How many columns it fills, begun ones included.
size_t ColumnsUpTo(uint64_t bytes, uint64_t scale, size_t width) { return (Eighths(bytes, scale, width) + 7) / 8; }

// The cells, `width` of them, with the limit's mark behind what fills it.
Line BarOf(std::vector<Cell> cells, std::optional<uint64_t> limit, uint64_t scale, size_t width) {
  cells.resize(width, {"·", Style::kDim});
  if (limit.has_value() && *limit < scale && width > 0) {
    cells[std::min(ColumnsUpTo(*limit, scale, width), width - 1)] = {"│", Style::kBold};
  }
  Line bar;
  for (const Cell& cell : cells) {
    if (bar.empty() || bar.back().style != cell.style) bar.push_back({"", cell.style});
    absl::StrAppend(&bar.back().text, cell.character);
  }
  return bar;
}

}  // namespace

std::string FormatSize(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  // 1023.95 would be written as 1024.0.
  while (value >= 1023.95 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  const bool whole = value == std::floor(value);
  return absl::StrFormat("%.*f %s", unit < 3 && whole ? 0 : 1, value, kUnits[unit]);
}

std::string FormatDuration(uint64_t milliseconds) {
  if (milliseconds < 60'000) return absl::StrFormat("%d.%d s", milliseconds / 1000, milliseconds % 1000 / 100);
  const uint64_t seconds = milliseconds / 1000;
  const uint64_t minutes = seconds / 60;
  const uint64_t hours = minutes / 60;
  if (hours == 0) return absl::StrCat(minutes, " min ", seconds % 60, " s");
  if (hours < 24) return absl::StrCat(hours, " h ", minutes % 60, " min");
  return absl::StrCat(hours / 24, " d ", hours % 24, " h");
}

std::string Count(uint64_t n, absl::string_view noun) { return absl::StrCat(n, " ", noun, n == 1 ? "" : "s"); }

size_t Width(absl::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), StartsCharacter));
}

std::string Cut(absl::string_view text, size_t width) {
  if (Width(text) <= width) return std::string(text);
  if (width == 0) return "";
  return absl::StrCat(First(text, width - 1), "…");
}

std::string FigureRow(absl::string_view name, absl::string_view figure, absl::string_view meaning) {
  return absl::StrCat("  ", PadRight(name, 10), PadLeft(figure, 10), "  ", meaning, "\n");
}

std::string PadRight(absl::string_view text, size_t width) {
  return absl::StrCat(text, std::string(width - std::min(width, Width(text)), ' '));
}

std::string PadLeft(absl::string_view text, size_t width) {
  return absl::StrCat(std::string(width - std::min(width, Width(text)), ' '), text);
}

std::string Paint(const Line& line, Colour colour, size_t columns) {
  Line visible;
  size_t left = columns;
  for (const Span& span : line) {
    visible.push_back({std::string(First(span.text, left)), span.style});
    left -= Width(visible.back().text);
  }
  DropBlanksAtEnd(visible);
  std::string painted;
  for (const Span& span : visible) {
    const bool styled = colour == Colour::kAnsi && span.style != Style::kPlain && !span.text.empty();
    absl::StrAppend(&painted, styled ? Escape(span.style) : "", span.text, styled ? "\x1b[0m" : "");
  }
  return painted;
}

Line Bar(const BarValues& values, size_t width) {
  static constexpr const char* kParts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const size_t eighths = Eighths(values.granted, values.scale, width);
  std::vector<Cell> cells(eighths / 8, {"█", Style::kGreen});
  if (eighths % 8 > 0) cells.push_back({kParts[eighths % 8], Style::kGreen});
  if (values.wanted > values.granted) {
    const size_t wanted = ColumnsUpTo(values.wanted, values.scale, width);
    cells.resize(std::max(wanted, std::min(cells.size() + 1, width)), {"░", Style::kYellow});
  }
  return BarOf(std::move(cells), values.limit, values.scale, width);
}

Line PartedBar(const std::vector<BarPart>& parts, uint64_t scale, std::optional<uint64_t> limit, size_t width) {
  const auto nearest = [&](uint64_t bytes) { return (Eighths(bytes, scale, width) + 4) / 8; };
  std::vector<Cell> cells;
  uint64_t sum = 0;
  for (const BarPart& part : parts) {
    if (part.bytes == 0) continue;
    sum += std::min(part.bytes, scale - std::min(sum, scale));
    const size_t end = std::min(std::max(nearest(sum), cells.size() + 1), width);
    cells.resize(std::max(end, cells.size()), {part.character, part.style});
  }
  return BarOf(std::move(cells), limit, scale, width);
}

std::string Sparkline(const std::vector<uint64_t>& values) {
  static constexpr const char* kHeights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const uint64_t most = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
  std::string line;
  for (const uint64_t value : values) {
    const double part = most == 0 ? 0 : static_cast<double>(value) / static_cast<double>(most);
    line += value == 0 ? " " : kHeights[std::min<size_t>(static_cast<size_t>(part * 8), 7)];
  }
  return line;
}

std::string Table::ToString() const {
  const auto is_used = [this](size_t column) {
    return std::any_of(rows_.begin(), rows_.end(), [&](const std::vector<std::string>& row) {
      return row[column] != "" && row[column] != "0" && row[column] != "0 B";
    });
  };
  std::vector<size_t> shown;
  std::vector<size_t> widths(columns_.size());
  std::vector<std::string> headings;
  for (size_t i = 0; i < columns_.size(); ++i) {
    headings.push_back(columns_[i].heading);
    widths[i] = Width(headings.back());
    for (const auto& row : rows_) widths[i] = std::max(widths[i], Width(row[i]));
    if (!columns_[i].only_if_used || is_used(i)) shown.push_back(i);
  }
  std::string text;
  const auto add = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (const size_t i : shown) {
      absl::StrAppend(&line, i == shown.front() ? "" : "  ",
                      columns_[i].align == Align::kLeft ? PadRight(cells[i], widths[i]) : PadLeft(cells[i], widths[i]));
    }
    absl::StrAppend(&text, absl::StripTrailingAsciiWhitespace(line), "\n");
  };
  add(headings);
  for (const auto& row : rows_) add(row);
  return text;
}

}  // namespace kvbroker::cli
