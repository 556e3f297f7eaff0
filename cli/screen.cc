#include "cli/screen.h"

#include <utility>

#include "absl/strings/str_join.h"

namespace kvbroker::cli {
namespace {

constexpr char kEnter[] = "\x1b[?1049h\x1b[?25l";  // alternate screen, no cursor
constexpr char kLeave[] = "\x1b[?25h\x1b[?1049l";
constexpr char kHome[] = "\x1b[H";
constexpr char kEndLine[] = "\x1b[K\r\n";  // clears what an earlier frame left there
constexpr char kClearBelow[] = "\x1b[K\x1b[J";

}  // namespace

Screen::Screen(std::ostream& out) : out_(out) { Enter(); }

Screen::~Screen() {
  Leave();
  for (const std::string& line : lines_) out_ << line << "\n";
  out_.flush();
}

void Screen::Show(std::vector<std::string> lines) {
  lines_ = std::move(lines);
  out_ << kHome << absl::StrJoin(lines_, kEndLine) << kClearBelow;
  out_.flush();
}

void Screen::Leave() { (out_ << kLeave).flush(); }

void Screen::Enter() { (out_ << kEnter).flush(); }

}  // namespace kvbroker::cli
