#include "tests/replay/tenant_replay.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/status.h"
#include "tests/replay/holding.h"

namespace kvbroker::replay {
namespace {

// Between steps the arena is looked at so often: what is measured of waiting and growing is as fine.
constexpr absl::Duration kLook = absl::Milliseconds(1);

// At most so often the broker is told what is held.
constexpr absl::Duration kReport = absl::Milliseconds(50);

// What bounds the slots beside the addresses.
uint64_t MostSlots(const Session::Info& info, Bytes slot) {
  return std::min(info.capacity, info.limit.value_or(info.capacity)) / slot;
}

absl::Duration LastArrival(const std::vector<std::vector<Request>>& workload) {
  absl::Duration last;
  for (const std::vector<Request>& requests : workload) {
    if (!requests.empty()) last = std::max(last, requests.back().arrival);
  }
  return last;
}

CacheOptions CacheOf(const TenantOptions& own, const BlockLayout& layout) {
  CacheOptions cache = {.keep = own.keep_cache};
  if (own.cache_max) cache.max_blocks = *own.cache_max / layout.block();
  return cache;
}

}  // namespace

TenantReplay::TenantReplay(const Options& options, const std::vector<std::vector<Request>>& workload,
                           const BlockLayout& layout, Session& session, Arena& arena, Pattern& pattern)
    : options_(options),
      own_(options.of_tenant[*options.run_as]),
      stays_until_(own_.keep_cache ? LastArrival(workload) : absl::ZeroDuration()),
      ends_(std::max(stays_until_, LastArrival({workload[*options.run_as]})) + options.drain),
      session_(session),
      arena_(arena),
      pattern_(pattern, layout.block()),
      slots_(arena, MostSlots(session.info(), layout.slot())),
      pool_(layout, slots_),
      store_(CacheOf(own_, layout), options.engine.seed, pool_, pattern_),
      engine_(options.engine, workload[*options.run_as], store_),
      give_back_(own_.answer, targets_, store_, engine_) {}

absl::StatusOr<Result> TenantReplay::Run(MonotonicTime start) {
  start_ = start;
  SleepUntil(start);
  absl::Duration step;
  while ((!engine_.finished() || Now() < stays_until_) && Now() < ends_) {
    KVB_RETURN_IF_ERROR(engine_.Step(Now()));
    // A step that took too long is not made up for: an engine would be late, too.
    step = std::max(step + options_.step_time, Now());
    KVB_RETURN_IF_ERROR(PassTimeUntil(step));
  }
  KVB_RETURN_IF_ERROR(engine_.Stop());
  Measure();
  return Summarised();
}

absl::Status TenantReplay::PassTimeUntil(absl::Duration end) {
  Measure();
  KVB_RETURN_IF_ERROR(AttendToBroker());
  for (absl::Duration now = Now(); now < end; now = Now()) {
    KVB_RETURN_IF_ERROR(Wait(std::min(kLook, end - now)));
    Measure();
    KVB_RETURN_IF_ERROR(AttendToBroker());
  }
  return absl::OkStatus();
}

absl::Status TenantReplay::Wait(absl::Duration slice) {
  const absl::Duration end = Now() + slice;
  if (!engine_.short_of_memory()) {
    SleepUntil(start_ + end);
    return absl::OkStatus();
  }
  const absl::Status more = arena_.WaitReady(arena_.stats().ready + 1, slice);
  if (!more.ok()) SleepUntil(start_ + end);
  // What was asked for can never be had.
  if (more.code() == absl::StatusCode::kFailedPrecondition) KVB_RETURN_IF_ERROR(engine_.Refuse(Now()));
  return engine_.Resume(Now());
}

absl::Status TenantReplay::AttendToBroker() {
  const Bytes held = arena_.slot_bytes() * arena_.stats().mapped;
  TakeEvents(held);
  targets_.Holds(held, Now());
  KVB_RETURN_IF_ERROR(give_back_.Act(Now()));
  return ReportHolding();
}

void TenantReplay::TakeEvents(Bytes held) {
  while (const std::optional<SessionEvent> event = session_.NextEvent()) {
    switch (event->kind) {
      case SessionEvent::Kind::kTarget:
        targets_.Told({.max = event->bytes, .by = Now() + event->within, .urgent = event->urgent}, held, Now());
        store_.SetEvictionAge(event->eviction_age);
        break;
      case SessionEvent::Kind::kBrokerAway:
        ++result_.broker_losses;
        targets_.Forget();
        break;
      case SessionEvent::Kind::kRefused:
        ++result_.refusals;
        result_.refusal = event->text;
        break;
      case SessionEvent::Kind::kReady:
      case SessionEvent::Kind::kBrokerBack:
      case SessionEvent::Kind::kTrim:  // it keeps nothing outside its arena
        break;
    }
  }
}

absl::Status TenantReplay::ReportHolding() {
  const absl::Duration now = Now();
  if (now < next_report_) return absl::OkStatus();
  next_report_ = now + kReport;
  HoldingReport report = own_.answer.never ? PretendedHoldingOf(store_) : HoldingOf(store_, now);
  report.refault = pool_.layout().block() * engine_.counts().refault_blocks;
  report.response = targets_.usual_answer();
  if (SameHolding(report, reported_)) return absl::OkStatus();
  reported_ = report;
  return arena_.Report(report);
}

void TenantReplay::Measure() {
  const absl::Duration now = Now();
  const Arena::Stats stats = arena_.stats();
  const Bytes slot = arena_.slot_bytes();
  growth_.Look(now, slot * stats.map_calls, stats.granted > stats.mapped + stats.retiring);
  share_.Look(now, engine_.busy(), slot * (stats.taken + stats.ready), slot * store_.slots_needed());
  result_.unmapped = (slot * stats.unmap_calls).in_bytes();
  const uint64_t mapped = (slot * stats.mapped).in_bytes();
  const uint64_t cached = (pool_.layout().block() * store_.cache().size()).in_bytes();
  const uint64_t in_blocks = (pool_.layout().block() * pool_.blocks_in_use()).in_bytes() - cached;
  result_.peak_mapped = std::max(result_.peak_mapped, mapped);
  result_.peak_in_blocks = std::max(result_.peak_in_blocks, in_blocks);
  result_.peak_cached = std::max(result_.peak_cached, cached);
  if (now < next_sample_) return;
  next_sample_ = now + options_.sample_interval;
  result_.sample_seconds.push_back(absl::ToDoubleSeconds(now));
  result_.sample_mapped.push_back(static_cast<double>(mapped));
  result_.sample_in_blocks.push_back(static_cast<double>(in_blocks));
  result_.sample_cached.push_back(static_cast<double>(cached));
  result_.sample_running.push_back(static_cast<double>(engine_.running()));
  result_.sample_queued.push_back(static_cast<double>(engine_.queued()));
}

Result TenantReplay::Summarised() {
  const Engine::Counts& counts = engine_.counts();
  result_.seconds = absl::ToDoubleSeconds(Now());
  result_.arrived = counts.arrived;
  result_.done = counts.done;
  result_.unfinished = counts.arrived - counts.done - counts.too_large;
  result_.too_large = counts.too_large;
  result_.preemptions = counts.preemptions;
  result_.preempted_for_target = counts.preempted_for_target;
  result_.refault = (pool_.layout().block() * counts.refault_blocks).in_bytes();
  result_.tokens = counts.tokens;
  result_.steps = counts.steps;
  result_.takes = counts.takes;
  for (const absl::Duration wait : engine_.waits()) result_.waits_ms.push_back(absl::ToDoubleMilliseconds(wait));
  result_.evicted_blocks = store_.counts().evicted;
  result_.filled = pattern_.filled().in_bytes();
  result_.verified = pattern_.verified().in_bytes();
  result_.pattern_seconds = absl::ToDoubleSeconds(pattern_.busy());
  result_.wrong_words = store_.counts().wrong_words;
  const TargetLog::Counts targets = targets_.counts();
  result_.targets = targets.received;
  result_.targets_answered = targets.answered;
  result_.targets_late = targets.late;
  result_.reclaimed = targets.reclaimed.in_bytes();
  for (const absl::Duration answer : targets_.answers()) {
    result_.answers_ms.push_back(absl::ToDoubleMilliseconds(answer));
  }
  result_.busy_held = share_.held();
  result_.busy_needed = share_.needed();
  result_.mapped = growth_.mapped().in_bytes();
  result_.growing_seconds = absl::ToDoubleSeconds(growth_.growing());
  result_.mean_growth = growth_.mean_rate();
  result_.best_growth = growth_.best_rate();
  return std::move(result_);
}

}  // namespace kvbroker::replay
