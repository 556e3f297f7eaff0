// Shows who has what, live: bars that are redrawn in place on a terminal, a line for each sample elsewhere.
//
//   $ kvctl watch --interval 1s --count 2 | cat
//   12.5 s  granted 12.5 GiB of 20.0 GiB  waiting 2.0 GiB  batch 4.5 GiB  chat 8.0 GiB +2.0 GiB
//   13.5 s  granted 12.5 GiB of 20.0 GiB  waiting 2.0 GiB  batch 4.5 GiB  chat 8.0 GiB +2.0 GiB

#include "cli/watch.h"

#include <signal.h>

#include <CLI/CLI.hpp>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/amount.h"
#include "cli/json.h"
#include "cli/sample_stream.h"
#include "cli/screen.h"
#include "cli/signals.h"
#include "cli/watch_view.h"
#include "common/base/status.h"

namespace kvbroker::cli {
namespace {

constexpr absl::Duration kFastest = absl::Milliseconds(50);  // the broker's bound
constexpr absl::Duration kSlowest = absl::Hours(1);
constexpr absl::Duration kPatience = absl::Seconds(5);    // for a sample that is due
constexpr absl::Duration kTurn = absl::Milliseconds(50);  // how soon a signal is answered

// Where the samples go.
class Display {
 public:
  explicit Display(const Context& context)
      : console_(context.console), json_(context.output == Output::kJson), live_(console_.live && !json_) {}

  void Show(const admin::v1::Snapshot& sample) {
    if (live_) {
      // From the first sample on: an error before it leaves the terminal alone.
      if (!screen_.has_value()) screen_.emplace(console_.out);
      screen_->Show(RenderWatch(sample, console_.size(), console_.colour));
    } else {
      console_.out << (json_ ? ToJson(sample, JsonShape::kOneLine) : RenderSample(sample));
      console_.out.flush();
    }
  }

  // Shows it again, for a window of another size.
  void Repeat(const admin::v1::Snapshot& sample) {
    if (screen_.has_value()) Show(sample);
  }

  // Stops the process; returns when the user has brought it back.
  void Suspend() {
    if (screen_.has_value()) screen_->Leave();
    raise(SIGSTOP);
    if (screen_.has_value()) screen_->Enter();
  }

 private:
  const Console& console_;
  const bool json_;
  const bool live_;
  std::optional<Screen> screen_;
};

}  // namespace

Command::Text WatchCommand::text() const {
  return {.name = "watch",
          .what = "Show who has what, live",
          .examples =
              "  kvctl watch                                   bars, until Ctrl-C\n"
              "  kvctl watch --interval 1s --count 60 > log    a line for each sample\n"
              "  kvctl watch --json | jq -c '[.time_ms, .status.memory.granted]'\n"
              "A bar's width is the capacity: █ is granted, ░ wanted and not granted, │ the limit.\n"
              "Colours can be switched off with NO_COLOR=1.\n"};
}

void WatchCommand::Declare(CLI::App& app) {
  app.add_option("--interval", interval_text_, "Between samples, as 500ms, 2s or seconds; default 500ms")
      ->type_name("TIME");
  app.add_option("--count", count_text_, "End after so many samples")->type_name("N");
}

absl::Status WatchCommand::Check() {
  const absl::StatusOr<absl::Duration> interval = ParseTime(interval_text_, kFastest, kSlowest);
  if (!interval.ok()) return absl::InvalidArgumentError(absl::StrCat("--interval: ", interval.status().message()));
  interval_ = *interval;
  if (!count_text_.empty() && (!absl::SimpleAtoi(count_text_, &count_) || count_ == 0)) {
    return absl::InvalidArgumentError(absl::StrCat("--count: '", count_text_, "' is no number of samples, 1 or more"));
  }
  return absl::OkStatus();
}

absl::Status WatchCommand::Run(const Context& context) {
  Signals signals;
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where));
  SampleStream stream(broker.stub(), interval_);
  Display display(context);
  uint64_t shown = 0;
  absl::Time heard = absl::Now();
  while (true) {
    switch (stream.Next(kTurn)) {
      case SampleStream::Event::kSample:
        display.Show(stream.sample());
        if (++shown == count_ || !context.console.out) return absl::OkStatus();
        heard = absl::Now();
        break;
      case SampleStream::Event::kNothing:
        if (absl::Now() - heard > interval_ + kPatience) {
          return absl::DeadlineExceededError(absl::StrCat("the broker at ", broker.socket(), " has sent nothing for ",
                                                          absl::FormatDuration(interval_ + kPatience)));
        }
        break;
      case SampleStream::Event::kEnd:
        if (!stream.status().ok()) return broker.Explain(stream.status());
        return absl::UnavailableError(absl::StrCat("the broker at ", broker.socket(), " has ended the watch"));
    }
    switch (signals.Take()) {
      case Signals::Event::kNone:
        break;
      case Signals::Event::kResized:
        display.Repeat(stream.sample());
        break;
      case Signals::Event::kSuspend:
        display.Suspend();
        display.Repeat(stream.sample());
        heard = absl::Now();
        break;
      case Signals::Event::kEnd:
        return absl::OkStatus();
    }
  }
}

}  // namespace kvbroker::cli
