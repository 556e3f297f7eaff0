#include "tests/replay/tenant.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/arena/arena.h"
#include "client/session/session.h"
#include "common/base/log.h"
#include "common/base/status.h"
#include "tests/replay/arena_slots.h"
#include "tests/replay/block_pool.h"
#include "tests/replay/create_pattern.h"
#include "tests/replay/engine.h"
#include "tests/replay/growth_meter.h"
#include "tests/replay/messages.h"
#include "tests/replay/metered_pattern.h"
#include "tests/replay/monotonic.h"
#include "tests/replay/workload.h"

namespace kvbroker::replay {
namespace {

// Between steps the arena is looked at so often: what is measured of waiting and growing is as fine.
constexpr absl::Duration kLook = absl::Milliseconds(1);

absl::Status Send(int channel, const Message& message) {
  const std::string line = ToLine(message);
  for (size_t sent = 0; sent < line.size();) {
    const ssize_t n = send(channel, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EINTR) return ErrnoToStatus(errno, "telling the coordinator");
    if (n > 0) sent += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

absl::StatusOr<MonotonicTime> ReceiveStart(int channel) {
  std::string line;
  for (char c = 0; c != '\n'; line += c) {
    const ssize_t n = read(channel, &c, 1);
    if (n < 0 && errno != EINTR) return ErrnoToStatus(errno, "waiting for the start");
    if (n == 0) return absl::CancelledError("the coordinator ended before the start");
  }
  int64_t nanoseconds;
  if (!absl::SimpleAtoi(line, &nanoseconds)) return absl::DataLossError(absl::StrCat("no start: ", Quoted(line)));
  return MonotonicTime(absl::Nanoseconds(nanoseconds));
}

// Drives one engine in real time over one arena, and measures.
class Replay {
 public:
  Replay(const Options& options, std::vector<Request> requests, Session& session, Arena& arena, SlotSource& slots,
         const BlockLayout& layout, Pattern& pattern)
      : options_(options),
        ends_((requests.empty() ? absl::ZeroDuration() : requests.back().arrival) + options.drain),
        session_(session),
        arena_(arena),
        pattern_(pattern, layout.block()),
        pool_(layout, slots),
        engine_(options.engine, std::move(requests), pool_, pattern_) {}

  absl::StatusOr<Result> Run(MonotonicTime start) {
    start_ = start;
    SleepUntil(start);
    absl::Duration step;
    while (!engine_.finished() && Now() < ends_) {
      KVB_RETURN_IF_ERROR(engine_.Step(Now()));
      // A step that took too long is not made up for: an engine would be late, too.
      step = std::max(step + options_.step_time, Now());
      KVB_RETURN_IF_ERROR(PassTimeUntil(step));
    }
    KVB_RETURN_IF_ERROR(engine_.Stop());
    Look();
    TakeEvents();
    return Summarised();
  }

 private:
  absl::Duration Now() const { return MonotonicNow() - start_; }

  // Until the next step: memory that comes meanwhile goes to those that wait for it at once, so that their waiting is
  // measured as what it is.
  absl::Status PassTimeUntil(absl::Duration end) {
    Look();
    for (absl::Duration now = Now(); now < end; now = Now()) {
      const absl::Duration slice = std::min(kLook, end - now);
      if (!engine_.short_of_memory() || !MoreBecameReady(slice)) SleepUntil(start_ + now + slice);
      if (engine_.short_of_memory()) KVB_RETURN_IF_ERROR(engine_.Resume(Now()));
      Look();
    }
    return absl::OkStatus();
  }

  // Whether another slot became ready within `slice`.
  bool MoreBecameReady(absl::Duration slice) { return arena_.WaitReady(arena_.stats().ready + 1, slice).ok(); }

  void Look() {
    const Arena::Stats stats = arena_.stats();
    const Bytes slot = arena_.slot_bytes();
    meter_.Look(Now(), slot * stats.map_calls, stats.granted > stats.mapped + stats.retiring);
    result_.unmapped = (slot * stats.unmap_calls).in_bytes();
    const uint64_t mapped = (slot * stats.mapped).in_bytes();
    const uint64_t in_blocks = (pool_.layout().block() * pool_.blocks_in_use()).in_bytes();
    result_.peak_mapped = std::max(result_.peak_mapped, mapped);
    result_.peak_in_blocks = std::max(result_.peak_in_blocks, in_blocks);
    if (Now() < next_sample_) return;
    next_sample_ = Now() + options_.sample_interval;
    result_.sample_seconds.push_back(absl::ToDoubleSeconds(Now()));
    result_.sample_mapped.push_back(static_cast<double>(mapped));
    result_.sample_in_blocks.push_back(static_cast<double>(in_blocks));
    result_.sample_running.push_back(static_cast<double>(engine_.running()));
    result_.sample_queued.push_back(static_cast<double>(engine_.queued()));
    TakeEvents();
  }

  void TakeEvents() {
    while (const std::optional<SessionEvent> event = session_.NextEvent()) {
      if (event->kind == SessionEvent::Kind::kBrokerAway) ++result_.broker_losses;
      if (event->kind == SessionEvent::Kind::kRefused) {
        ++result_.refusals;
        result_.refusal = event->text;
      }
    }
  }

  Result Summarised() {
    const Engine::Counts& counts = engine_.counts();
    result_.seconds = absl::ToDoubleSeconds(Now());
    result_.arrived = counts.arrived;
    result_.done = counts.done;
    result_.unfinished = counts.arrived - counts.done - counts.too_large;
    result_.too_large = counts.too_large;
    result_.preemptions = counts.preemptions;
    result_.tokens = counts.tokens;
    result_.steps = counts.steps;
    result_.takes = counts.takes;
    for (const absl::Duration wait : engine_.waits()) result_.waits_ms.push_back(absl::ToDoubleMilliseconds(wait));
    result_.filled = pattern_.filled().in_bytes();
    result_.verified = pattern_.verified().in_bytes();
    result_.pattern_seconds = absl::ToDoubleSeconds(pattern_.busy());
    result_.wrong_words = counts.wrong_words;
    result_.mapped = meter_.mapped().in_bytes();
    result_.growing_seconds = absl::ToDoubleSeconds(meter_.growing());
    result_.mean_growth = meter_.mean_rate();
    result_.best_growth = meter_.best_rate();
    return std::move(result_);
  }

  const Options& options_;
  const absl::Duration ends_;
  Session& session_;  // Not owned.
  Arena& arena_;      // Not owned.
  MeteredPattern pattern_;
  BlockPool pool_;
  Engine engine_;
  MonotonicTime start_;
  GrowthMeter meter_;
  absl::Duration next_sample_;
  Result result_;
};

// What bounds the slots beside the addresses.
uint64_t MostSlots(const Session::Info& info, Bytes slot) {
  return std::min(info.capacity, info.limit.value_or(info.capacity)) / slot;
}

absl::Status Run(const Options& options, int channel) {
  KVB_ASSIGN_OR_RETURN(const std::vector<std::vector<Request>> workload, MakeWorkload(options));
  KVB_ASSIGN_OR_RETURN(const BlockLayout layout, options.layout());
  KVB_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                       Session::Open({.tenant = options.tenants[*options.run_as],
                                      .engine = "replay",
                                      .socket = options.socket,
                                      .runtime_dir = options.runtime_dir,
                                      .device_uuid = options.device}));
  KVB_ASSIGN_OR_RETURN(const std::unique_ptr<Arena> arena, session->CreateArena({.planes = {options.slot},
                                                                                 .slots = options.arena_slots(),
                                                                                 .low = options.low,
                                                                                 .high = options.high,
                                                                                 .ahead = options.ahead}));
  KVB_ASSIGN_OR_RETURN(const std::unique_ptr<Pattern> pattern, CreatePattern(session->device(), layout.block()));
  const Session::Info info = session->info();
  KVB_RETURN_IF_ERROR(Send(channel, Ready{.device_uuid = info.device_uuid,
                                          .device_kind = info.device_kind,
                                          .capacity = info.capacity,
                                          .limit = info.limit}));
  KVB_ASSIGN_OR_RETURN(const MonotonicTime start, ReceiveStart(channel));

  Options own = options;
  own.engine.seed = SpreadSeed(options.engine.seed) + *options.run_as;
  ArenaSlots slots(*arena, MostSlots(info, options.slot));
  Replay replay(own, workload[*options.run_as], *session, *arena, slots, layout, *pattern);
  KVB_ASSIGN_OR_RETURN(Result result, replay.Run(start));
  return Send(channel, std::move(result));
}

}  // namespace

int RunTenant(const Options& options, UniqueFd channel) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const absl::Status status = Run(options, channel.get());
  if (status.ok()) return 0;
  Send(channel.get(), Failure{.text = status.ToString()}).IgnoreError();
  return 1;
}

}  // namespace kvbroker::replay
