#ifndef KVBROKER_CLI_FORMAT_H_
#define KVBROKER_CLI_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace kvbroker::cli {

// What kvctl prints is put together from these. All pure functions of their arguments.

// "12.5 GiB", "512 MiB", "0 B": one decimal where there is something behind the point, none below a GiB's whole MiB.
std::string FormatSize(uint64_t bytes);

// "12.5 s", "3 min 4 s", "1 h 2 min", "5 d 6 h": the two largest units.
std::string FormatDuration(uint64_t milliseconds);

// "3 sessions", "1 session".
std::string Count(uint64_t n, absl::string_view noun);

// How many columns `text`, in UTF-8, takes on a terminal; each character is taken to be one wide.
size_t Width(absl::string_view text);

// `text` itself, or its beginning and '…' where it is wider than `width`.
std::string Cut(absl::string_view text, size_t width);

// `text` with blanks behind (before) it, `width` columns wide. What is wider stays as it is.
std::string PadRight(absl::string_view text, size_t width);
std::string PadLeft(absl::string_view text, size_t width);

// A figure and what it means, a line: "  granted      8.0 GiB  to 2 sessions".
std::string FigureRow(absl::string_view name, absl::string_view figure, absl::string_view meaning);

enum class Colour { kNone, kAnsi };
enum class Style { kPlain, kDim, kBold, kGreen, kYellow, kRed, kCyan };

// A piece of a line that looks alike.
struct Span {
  std::string text;
  Style style = Style::kPlain;
};
using Line = std::vector<Span>;

// The line with the escape sequences of its styles, or without; cut to `columns`. No line feed, no blanks at its end.
std::string Paint(const Line& line, Colour colour, size_t columns = SIZE_MAX);

// What a bar shows, in bytes.
struct BarValues {
  uint64_t scale = 0;             // the whole width
  uint64_t granted = 0;           // █
  uint64_t wanted = 0;            // ░ from granted on; less than granted counts as granted
  std::optional<uint64_t> limit;  // │ where it is less than the scale
};

// A bar of `width` columns. Whatever is more than nothing is seen; what is past the scale is cut off.
Line Bar(const BarValues& values, size_t width);

// A piece of a bar, in bytes; a character of its own tells it from the others without colours.
struct BarPart {
  uint64_t bytes = 0;
  absl::string_view character;
  Style style = Style::kPlain;
};

// The same for several parts side by side, each in whole columns.
Line PartedBar(const std::vector<BarPart>& parts, uint64_t scale, std::optional<uint64_t> limit, size_t width);

// "▁▂▅█": a column for each value, as high as its part of the greatest; a value of 0 is blank.
std::string Sparkline(const std::vector<uint64_t>& values);

// Rows of cells under headings, each column as wide as its widest cell.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string heading;
    Align align = Align::kRight;
    bool only_if_used = false;  // left out where each cell is "", "0" or "0 B"
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // REQUIRES: a cell for each column.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  std::string ToString() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_FORMAT_H_
