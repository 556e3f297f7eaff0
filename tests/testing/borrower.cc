#include "tests/testing/borrower.h"

#include <poll.h>

#include "absl/time/clock.h"

namespace kvbroker {
namespace {

constexpr int kLookMs = 5;

}  // namespace

Borrower::Borrower(const Options& options)
    : options_(options),
      session_(*Session::Open({.tenant = options.tenant,
                               .engine = "borrower",
                               .socket = options.socket,
                               .progress_floor = options.progress_floor})),
      arena_(*session_->CreateArena(
          {.planes = {options.slot}, .slots = std::max<uint64_t>(options.slots, 4096), .low = 0})),
      thread_([this] { Run(); }) {
  Want(options.slots);
}

Borrower::~Borrower() {
  stopping_ = true;
  thread_.join();
}

void Borrower::Want(uint64_t slots, uint64_t min_useful) { arena_->SetWant(slots, min_useful).IgnoreError(); }

std::string Borrower::refusal() const {
  absl::MutexLock lock(&mu_);
  return refusal_;
}

void Borrower::Run() {
  while (!stopping_) {
    pollfd readable = {.fd = session_->event_fd(), .events = POLLIN};
    poll(&readable, 1, kLookMs);
    while (const std::optional<SessionEvent> event = session_->NextEvent()) {
      if (event->kind == SessionEvent::Kind::kTarget && event->bytes.has_value()) HoldAtMost(*event->bytes);
      if (event->kind == SessionEvent::Kind::kRefused) {
        absl::MutexLock lock(&mu_);
        refusal_ = event->text;
      }
    }
    TakeAll();
  }
}

void Borrower::TakeAll() {
  const size_t before = taken_.size();
  while (const std::optional<uint64_t> slot = arena_->Take()) taken_.push_back(*slot);
  if (taken_.size() != before) Report();
}

void Borrower::HoldAtMost(Bytes bytes) {
  const uint64_t keep = bytes / options_.slot;
  if (!options_.answers_after.has_value() || taken_.size() <= keep) return;
  absl::SleepFor(*options_.answers_after);
  const std::vector<uint64_t> back(taken_.begin() + static_cast<std::ptrdiff_t>(keep), taken_.end());
  arena_->Retire(back).IgnoreError();
  taken_.resize(keep);
  Report();
}

void Borrower::Report() {
  held_ = taken_.size();
  HoldingReport report;
  const Bytes held = options_.slot * taken_.size();
  (options_.cached_age.has_value() ? report.cached_by_age[*options_.cached_age] : report.preemptible) = held;
  report.response = options_.answers_after.value_or(absl::ZeroDuration());
  arena_->Report(report).IgnoreError();
}

}  // namespace kvbroker
