// Shows who has what, live: bars that are redrawn in place on a terminal, a line for each sample elsewhere.
//
//   $ kvctl top --interval 1s --count 2 | cat
//   12.5 s  granted 12.5 GiB of 20.0 GiB  waiting 2.0 GiB  batch 4.5 GiB  chat 8.0 GiB +2.0 GiB
//   13.5 s  granted 12.5 GiB of 20.0 GiB  waiting 2.0 GiB  batch 4.5 GiB  chat 8.0 GiB +2.0 GiB

#include "cli/top.h"

#include <signal.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/amount.h"
#include "cli/json.h"
#include "cli/sample_stream.h"
#include "cli/screen.h"
#include "cli/signals.h"
#include "cli/top_view.h"
#include "common/base/status.h"

namespace kvbroker::cli {
namespace {

constexpr absl::Duration kFastest = absl::Milliseconds(50);  // the broker's bound
constexpr absl::Duration kSlowest = absl::Hours(1);
constexpr absl::Duration kPatience = absl::Seconds(5);      // for a sample that is due
constexpr absl::Duration kRetry = absl::Milliseconds(500);  // of a broker that has gone
constexpr absl::Duration kTurn = absl::Milliseconds(50);    // how soon a signal is answered

}  // namespace

// Where the samples go.
class TopCommand::Display {
 public:
  explicit Display(const Context& context)
      : console_(context.console), json_(context.output == Output::kJson), live_(console_.live && !json_) {}

  void Show(const admin::v1::Snapshot& sample) {
    if (live_) {
      trouble_.clear();
      history_.Add(sample);
      Draw(sample);
    } else {
      console_.out << (json_ ? ToJson(sample, JsonShape::kOneLine) : RenderSample(sample));
      console_.out.flush();
    }
  }

  bool good() const { return static_cast<bool>(console_.out); }
  // Whether somebody looks at it who would wait for a broker that comes back.
  bool live() const { return live_; }

  // There is no newer sample for now.
  void ShowTrouble(const admin::v1::Snapshot& sample, absl::string_view trouble) {
    trouble_ = std::string(trouble);
    Repeat(sample);
  }

  // Shows it again, for a window of another size.
  void Repeat(const admin::v1::Snapshot& sample) {
    if (screen_.has_value()) Draw(sample);
  }

  // Stops the process; returns when the user has brought it back.
  void Suspend() {
    if (screen_.has_value()) screen_->Leave();
    raise(SIGSTOP);
    if (screen_.has_value()) screen_->Enter();
  }

 private:
  void Draw(const admin::v1::Snapshot& sample) {
    // From the first sample on: an error before it leaves the terminal alone.
    if (!screen_.has_value()) screen_.emplace(console_.out);
    screen_->Show(RenderTop(sample, history_, console_.size(), console_.colour, trouble_));
  }

  const Console& console_;
  const bool json_;
  const bool live_;
  TopHistory history_;
  std::string trouble_;
  std::optional<Screen> screen_;
};

Command::Text TopCommand::text() const {
  return {.name = "top",
          .what = "Show who has what, live: bars, changes, history",
          .examples =
              "  kvctl top                                   until Ctrl-C\n"
              "  kvctl top --interval 1s --count 60 > log    a line for each sample\n"
              "  kvctl top --json | jq -c '[.time_ms, .status.memory.granted]'\n"
              "A bar's width is the capacity: █ is in use, ▓ cached for requests that may come back, ▒ free in the\n"
              "engine (given back at no cost), ░ wanted and not granted, │ the limit. CHANGE/S: of what is granted,\n"
              "over the last 2 s. HISTORY: a column for each 5 s. Colours can be switched off with NO_COLOR=1.\n",
          .aliases = {"watch"}};
}

void TopCommand::Declare(CLI::App& app) {
  app.add_option("--interval", interval_text_, "Between samples, as 500ms, 2s or seconds; default 500ms")
      ->type_name("TIME");
  app.add_option("--count", count_text_, "End after so many samples")->type_name("N");
}

absl::Status TopCommand::Check() {
  const absl::StatusOr<absl::Duration> interval = ParseTime(interval_text_, kFastest, kSlowest);
  if (!interval.ok()) return absl::InvalidArgumentError(absl::StrCat("--interval: ", interval.status().message()));
  interval_ = *interval;
  if (!count_text_.empty() && (!absl::SimpleAtoi(count_text_, &count_) || count_ == 0)) {
    return absl::InvalidArgumentError(absl::StrCat("--count: '", count_text_, "' is no number of samples, 1 or more"));
  }
  return absl::OkStatus();
}

absl::Status TopCommand::Run(const Context& context) {
  Signals signals;
  Display display(context);
  admin::v1::Snapshot newest;
  uint64_t shown = 0;
  // False: it is to end.
  const auto heed = [&] {
    switch (signals.Take()) {
      case Signals::Event::kNone:
        return true;
      case Signals::Event::kResized:
        display.Repeat(newest);
        return true;
      case Signals::Event::kSuspend:
        display.Suspend();
        display.Repeat(newest);
        return true;
      case Signals::Event::kEnd:
        return false;
    }
    return false;
  };
  while (true) {
    const absl::Status ended = Follow(context.where, display, heed, newest, shown);
    // Who looks at a screen waits: brokers are upgraded.
    if (ended.ok() || !display.live() || shown == 0) return ended;
    display.ShowTrouble(newest, absl::StrCat("trying again: ", ended.message()));
    for (const absl::Time until = absl::Now() + kRetry; absl::Now() < until; absl::SleepFor(kTurn)) {
      if (!heed()) return absl::OkStatus();
    }
  }
}

absl::Status TopCommand::Follow(const Where& where, Display& display, const std::function<bool()>& heed,
                                admin::v1::Snapshot& newest, uint64_t& shown) const {
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(where));
  SampleStream stream(broker.stub(), interval_);
  absl::Time heard = absl::Now();
  absl::Time looked = heard;
  while (heed()) {
    // A process that was stopped has heard nothing meanwhile.
    const absl::Time now = absl::Now();
    if (now - looked > kPatience) heard = now;
    looked = now;
    switch (stream.Next(kTurn)) {
      case SampleStream::Event::kSample:
        newest = stream.sample();
        display.Show(newest);
        if (++shown == count_ || !display.good()) return absl::OkStatus();
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
  }
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
