#include "client/arena/arena.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/arena/fork_guard.h"
#include "common/base/log.h"
#include "common/base/status.h"

namespace kvbroker {
namespace {

// Marks beyond the arena's size mean its size.
ArenaOptions Clamped(ArenaOptions options) {
  options.low = std::min(options.low, options.slots);
  options.high = std::clamp(options.high, options.low, options.slots);
  options.ahead = std::min(options.ahead, options.slots);
  return options;
}

}  // namespace

Arena::Arena(const ArenaOptions& options, uint64_t id, Device& device, std::vector<Reservation> ranges, int wake_fd,
             Closer closer)
    : options_(Clamped(options)),
      id_(id),
      device_(device),
      slot_bytes_([&] {
        Bytes sum;
        for (const Bytes plane : options.planes) sum += plane;
        return sum;
      }()),
      wake_fd_(wake_fd),
      closer_(std::move(closer)),
      ranges_(std::move(ranges)),
      table_(options.slots) {}

Arena::~Arena() {
  if (guard_.forked()) {
    // The parent's ranges and threads are not ours: leave everything as it is.
    new std::vector<Reservation>(std::move(ranges_));
    return;
  }
  closer_(*this);
}

std::optional<uint64_t> Arena::Take() {
  if (guard_.forked()) return std::nullopt;
  const std::optional<uint64_t> slot = table_.Take();
  if (table_.ready() < options_.low) Wake(awake_for_low_);
  return slot;
}

absl::Status Arena::Return(uint64_t slot) {
  KVB_RETURN_IF_ERROR(guard_.Check());
  if (!table_.Return(slot)) return absl::FailedPreconditionError(absl::StrCat("slot ", slot, " is not taken"));
  if (waiters_.load() > 0) absl::MutexLock look_again(&mu_);
  if (table_.ready() > options_.high) Wake(awake_for_high_);
  return absl::OkStatus();
}

absl::Status Arena::Retire(absl::Span<const uint64_t> slots) {
  KVB_RETURN_IF_ERROR(guard_.Check());
  for (size_t i = 0; i < slots.size(); ++i) {
    if (table_.Retire(slots[i])) continue;
    for (size_t j = 0; j < i; ++j) table_.Unretire(slots[j]);
    return absl::FailedPreconditionError(absl::StrCat("slot ", slots[i], " is not taken"));
  }
  {
    absl::MutexLock lock(&mu_);
    retired_.insert(retired_.end(), slots.begin(), slots.end());
  }
  Wake(awake_);
  return absl::OkStatus();
}

absl::Status Arena::SetWant(uint64_t slots, uint64_t min_useful, Urgency urgency) {
  KVB_RETURN_IF_ERROR(guard_.Check());
  if (slots > options_.slots) {
    return absl::InvalidArgumentError(absl::StrCat("the arena has ", options_.slots, " slots and cannot want ", slots));
  }
  explicit_want_.store(slots, std::memory_order_relaxed);
  min_useful_.store(min_useful, std::memory_order_relaxed);
  urgency_.store(urgency, std::memory_order_relaxed);
  {
    absl::MutexLock lock(&mu_);
    want_anew_ |= !refusal_.ok();
    refusal_ = absl::OkStatus();
  }
  Wake(awake_);
  return absl::OkStatus();
}

absl::Status Arena::WaitReady(uint64_t slots, absl::Duration timeout) {
  KVB_RETURN_IF_ERROR(guard_.Check());
  const auto done = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return table_.ready() >= slots || away_.load(std::memory_order_relaxed) || !refusal_.ok();
  };
  absl::Status refusal;
  waiters_.fetch_add(1);
  {
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithTimeout(absl::Condition(&done), timeout);
    refusal = refusal_;
  }
  waiters_.fetch_sub(1);
  if (table_.ready() >= slots) return absl::OkStatus();
  if (away_.load(std::memory_order_relaxed)) {
    return absl::UnavailableError("the broker is away: nothing grows until it is back");
  }
  KVB_RETURN_IF_ERROR(refusal);
  return absl::DeadlineExceededError(
      absl::StrCat(table_.ready(), " of ", slots, " slots were ready after ", absl::FormatDuration(timeout)));
}

absl::Status Arena::Report(const HoldingReport& report) {
  KVB_RETURN_IF_ERROR(guard_.Check());
  KVB_RETURN_IF_ERROR(CheckHoldingReport(report, slot_bytes_ * options_.slots));
  {
    absl::MutexLock lock(&mu_);
    report_ = report;
  }
  Wake(awake_for_report_);
  return absl::OkStatus();
}

void Arena::Wake(std::atomic<bool>& awake) {
  // Looked at before it is changed: where nothing is to be done, no other core's cache is disturbed.
  if (awake.load(std::memory_order_relaxed) || awake.exchange(true, std::memory_order_acq_rel)) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(wake_fd_, &one, sizeof(one));
}

Arena::Stats Arena::stats() const {
  absl::MutexLock lock(&mu_);
  const uint64_t target = target_slots_.load(std::memory_order_relaxed);
  return {.slots = options_.slots,
          .mapped = table_.mapped(),
          .ready = table_.ready(),
          .taken = table_.taken(),
          .retiring = retired_.size(),
          .granted = books_.held() + books_.foreign,
          .wanted = wanted_,
          .target = std::min(target, options_.slots),
          .map_calls = map_calls_.load(std::memory_order_relaxed),
          .unmap_calls = unmap_calls_.load(std::memory_order_relaxed)};
}

// ---------------------------------------------------------------- the background thread's

absl::Status Arena::MapSlot(uint64_t slot, absl::Span<const Extent> extents) {
  for (size_t plane = 0; plane < extents.size(); ++plane) {
    const Bytes bytes = extent_bytes(plane);
    absl::Status mapped = device_.Map(base(plane) + slot * bytes.in_bytes(), bytes, extents[plane].raw());
    if (mapped.ok()) {
      map_calls_.fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    const absl::Status undone = UnmapPlanes(slot, plane);
    return undone.ok() ? mapped : absl::DataLossError(absl::StrCat(mapped.message(), "; ", undone.message()));
  }
  return absl::OkStatus();
}

absl::Status Arena::UnmapSlot(uint64_t slot) { return UnmapPlanes(slot, planes()); }

absl::Status Arena::UnmapPlanes(uint64_t slot, size_t planes) {
  absl::Status first;
  for (size_t plane = 0; plane < planes; ++plane) {
    unmap_calls_.fetch_add(1, std::memory_order_relaxed);
    const Bytes bytes = extent_bytes(plane);
    first.Update(device_.Unmap(base(plane) + slot * bytes.in_bytes(), bytes));
  }
  return first;
}

bool Arena::RefuseWant(uint64_t revision, const std::string& why) {
  absl::MutexLock lock(&mu_);
  if (revision < books_.want_revision || want_anew_) return false;
  refusal_ = absl::FailedPreconditionError(why);
  return true;
}

uint64_t Arena::WantedSlots() {
  if (closing_) return 0;
  const uint64_t wanted = explicit_want_.load(std::memory_order_relaxed);
  // What is of no use to anybody is held beside what is wanted.
  const auto with_stuck = [this](uint64_t slots) { return std::min(slots + table_.stuck(), options_.slots); };
  if (options_.low == 0 && wanted > 0) return with_stuck(wanted);
  const uint64_t ready = table_.ready();
  const uint64_t taken = table_.taken();
  if (options_.low > 0 && ready < options_.low) growing_ = true;
  if (ready >= options_.high) growing_ = false;
  const uint64_t desired = growing_ ? taken + options_.high : taken + std::min(ready, options_.high);
  return with_stuck(std::max(desired, wanted));
}

uint64_t Arena::DesiredSlots() { return std::min(WantedSlots(), target_slots_.load(std::memory_order_relaxed)); }

}  // namespace kvbroker
