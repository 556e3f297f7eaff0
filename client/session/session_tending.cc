// The worker's part that keeps the arenas in order: takes in what was granted, gives back what is too much, and tells the
// broker what the arenas want and hold.

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/session/session_worker.h"
#include "common/base/clock.h"
#include "common/base/log.h"

namespace kvbroker {
namespace {

// One batch is mapped here while the broker makes the next: small enough to overlap, large enough to be few.
constexpr uint32_t kFetchExtents = 32;

// Voluntary returns: at most 200 extents a second, ten at a time (a return costs the device's own work 27 µs each, and
// less in batches).
constexpr uint64_t kGiveBackExtents = 10;
constexpr absl::Duration kGiveBackInterval = absl::Milliseconds(50);

// How long an arena does not fetch after a batch that could not be imported or mapped: the cause rarely goes at once.
constexpr absl::Duration kFailedFetchPause = absl::Milliseconds(100);

// So many slots are unmapped before the broker is told: soon enough for whoever waits for them, and few messages.
constexpr size_t kReleaseSlots = 8;

v1::Urgency UrgencyOf(Urgency urgency) {
  switch (urgency) {
    case Urgency::kNormal:
      return v1::URGENCY_NORMAL;
    case Urgency::kLow:
      return v1::URGENCY_LOW;
    case Urgency::kHigh:
      return v1::URGENCY_HIGH;
  }
  return v1::URGENCY_NORMAL;
}

}  // namespace

// ---------------------------------------------------------------- batches

void SessionWorker::ReceiveBatches() {
  while (!broken_.has_value()) {
    absl::StatusOr<std::optional<Batch>> batch = connection_->Receive();
    if (!batch.ok()) {
      broken_ = batch.status();
      return;
    }
    if (!batch->has_value()) return;
    HandleBatch(**std::move(batch));
  }
}

void SessionWorker::HandleBatch(Batch batch) {
  const v1::Handles& handles = batch.handles;
  Arena* arena = FindByLease(handles.lease_id());
  if (arena == nullptr) {
    // Of an arena that was closed meanwhile: its lease has ended at the broker too.
    return;
  }
  {
    absl::MutexLock lock(&arena->mu_);
    arena->books_.fetching = false;
    if (handles.slots() == 0) arena->books_.NoteNothingLeft();
  }
  if (handles.slots() == 0) return;

  absl::Status imported;
  if (batch.fds.size() != handles.slots() * arena->planes()) {
    imported = absl::DataLossError(absl::StrCat(batch.fds.size(), " descriptors came for ", handles.slots(),
                                                " slots of ", arena->planes(), " planes"));
  }
  std::vector<std::vector<Extent>> slots;
  for (size_t i = 0; imported.ok() && i < handles.slots(); ++i) {
    std::vector<Extent>& slot = slots.emplace_back();
    for (size_t plane = 0; plane < arena->planes(); ++plane) {
      absl::StatusOr<Extent> extent =
          Extent::Import(*options_.device, batch.fds[i * arena->planes() + plane].get(), arena->extent_bytes(plane));
      imported.Update(extent.status());
      if (!extent.ok()) break;
      slot.push_back(*std::move(extent));
    }
  }
  std::move(batch.fds.begin(), batch.fds.end(), std::back_inserter(used_fds_));
  if (!imported.ok()) {
    LogWarning("kvbroker: a batch could not be imported: ", imported.message());
    v1::ClientFrame frame;
    frame.mutable_nack()->set_lease_id(handles.lease_id());
    frame.mutable_nack()->set_batch(handles.batch());
    frame.mutable_nack()->set_error(std::string(imported.message()));
    slots.clear();
    used_fds_.clear();
    arena->no_fetch_before_ = MonotonicNow() + kFailedFetchPause;
    return SendFrame(frame);
  }
  {
    absl::MutexLock lock(&arena->mu_);
    arena->books_.received += handles.slots();
  }
  // The broker makes the next batch ready while this one is mapped.
  Fetch(*arena, handles.batch());
  MapBatch(*arena, std::move(slots));
}

void SessionWorker::MapBatch(Arena& arena, std::vector<std::vector<Extent>> slots) {
  uint64_t lost = 0;
  for (std::vector<Extent>& extents : slots) {
    const std::optional<uint64_t> slot = arena.table_.LowestUnmapped();
    const absl::Status mapped =
        slot.has_value() ? arena.MapSlot(*slot, extents) : absl::InternalError("more slots came than the arena has");
    if (mapped.ok()) {
      arena.table_.Publish(*slot);
    } else if (absl::IsDataLoss(mapped)) {
      // A part of it is there: it stays charged until the process ends, and is used for nothing.
      LogError("kvbroker: slot ", *slot, " could not be mapped as a whole: ", mapped.message());
      arena.table_.NoteStuckInPart();
    } else {
      LogWarning("kvbroker: a slot could not be mapped: ", mapped.message());
      if (slot.has_value()) arena.table_.SetUnmapped(*slot);
      ++lost;
    }
    // A mapping keeps its memory; a slot that was not mapped is given back with this.
    std::move(extents.begin(), extents.end(), std::back_inserter(used_extents_));
  }
  if (lost > 0) {
    used_extents_.clear();
    arena.no_fetch_before_ = MonotonicNow() + kFailedFetchPause;
    {
      absl::MutexLock lock(&arena.mu_);
      arena.books_.Release(lost);
    }
    TellWantAndReleased(arena, /*released=*/true);
  }
  // Whoever waits for ready slots looks again when the lock is let go of.
  { absl::MutexLock lock(&arena.mu_); }
  options_.events->Push({.kind = SessionEvent::Kind::kReady, .arena = arena.id_});
}

// ---------------------------------------------------------------- tending an arena

void SessionWorker::Tend(Arena& arena) {
  arena.awake_ = false;
  arena.awake_for_low_ = false;
  UnmapRetired(arena);
  GiveBackSurplus(arena);
  TellWantAndReleased(arena, /*released=*/false);
  Fetch(arena, /*confirm_batch=*/0);
  TellHolding(arena);
}

void SessionWorker::UnmapRetired(Arena& arena) {
  std::vector<uint64_t> slots;
  {
    absl::MutexLock lock(&arena.mu_);
    slots.swap(arena.retired_);
  }
  UnmapAndRelease(arena, slots);
}

void SessionWorker::GiveBackSurplus(Arena& arena) {
  const bool asked = GiveBackAsked(arena);
  const uint64_t mapped = arena.table_.mapped();
  std::vector<uint64_t> slots;
  // More are ready than anybody needs: a few at a time.
  const absl::Time now = MonotonicNow();
  const auto surplus = [&] {
    const uint64_t keep = arena.explicit_want_.load() + arena.table_.stuck();
    const uint64_t left = mapped - slots.size();
    return left > keep && arena.table_.ready() > arena.options_.high;
  };
  if (!asked && surplus() && now >= arena.next_give_back_) {
    const uint64_t batch = std::max<uint64_t>(1, kGiveBackExtents / arena.planes());
    while (slots.size() < batch && surplus()) {
      const std::optional<uint64_t> slot = arena.table_.WithdrawHighest();
      if (!slot.has_value()) break;
      slots.push_back(*slot);
    }
    arena.next_give_back_ =
        now + kGiveBackInterval * (static_cast<double>(slots.size() * arena.planes()) / kGiveBackExtents);
  }
  UnmapAndRelease(arena, slots);
  if (surplus()) {
    WakeAt(std::max(arena.next_give_back_, now));  // it stays awake for this: Return need not wake it
  } else {
    arena.awake_for_high_ = false;
  }
}

// The broker asks: at once. What cannot be unmapped counts as held, so another slot goes in its place.
bool SessionWorker::GiveBackAsked(Arena& arena) {
  const uint64_t target = arena.target_slots_.load();
  bool any = false;
  for (;;) {
    const uint64_t mapped = arena.table_.mapped();
    std::vector<uint64_t> slots;
    while (slots.size() + target < mapped) {
      const std::optional<uint64_t> slot = arena.table_.WithdrawHighest();
      if (!slot.has_value()) break;
      slots.push_back(*slot);
    }
    if (slots.empty()) return any;
    UnmapAndRelease(arena, slots);
    any = true;
  }
}

void SessionWorker::UnmapAndRelease(Arena& arena, absl::Span<const uint64_t> slots) {
  while (!slots.empty()) {
    const absl::Span<const uint64_t> batch = slots.first(std::min(slots.size(), kReleaseSlots));
    slots.remove_prefix(batch.size());
    if (Unmap(arena, batch) > 0) TellWantAndReleased(arena, /*released=*/true);
  }
}

uint64_t SessionWorker::Unmap(Arena& arena, absl::Span<const uint64_t> slots) {
  uint64_t unmapped = 0;
  for (const uint64_t slot : slots) {
    const absl::Status done = arena.UnmapSlot(slot);
    if (!done.ok()) {
      // Its memory cannot be given back: it stays charged until the process ends, and is used for nothing.
      LogError("kvbroker: slot ", slot, " could not be unmapped: ", done.message());
      arena.table_.NoteStuck();
      continue;
    }
    arena.table_.NoteUnmapped(slot);
    ++unmapped;
  }
  if (unmapped > 0) {
    absl::MutexLock lock(&arena.mu_);
    arena.books_.Release(unmapped);
  }
  return unmapped;
}

void SessionWorker::TellWantAndReleased(Arena& arena, bool released) {
  const uint64_t desired = arena.WantedSlots();
  v1::ClientMessage want;
  v1::ClientMessage release;
  bool want_changed = false;
  {
    absl::MutexLock lock(&arena.mu_);
    LeaseBooks& books = arena.books_;
    if (!books.lease) return;
    // What an earlier broker lent is not this one's to grant again.
    const uint64_t slots = std::min(desired + arena.options_.ahead, arena.slots());
    const uint64_t wanted = slots > books.foreign ? slots - books.foreign : 0;
    const uint64_t min_useful = arena.min_useful_.load();
    const Urgency urgency = arena.urgency_.load();
    const bool anew = std::exchange(arena.want_anew_, false);
    want_changed =
        anew || wanted != arena.wanted_ || min_useful != arena.told_min_useful_ || urgency != arena.told_urgency_;
    if (want_changed) {
      arena.wanted_ = wanted;
      want.mutable_want()->set_arena_id(arena.id_);
      want.mutable_want()->set_revision(++books.want_revision);
      want.mutable_want()->set_slots(wanted);
      want.mutable_want()->set_min_useful_slots(min_useful);
      want.mutable_want()->set_urgency(UrgencyOf(urgency));
      arena.told_min_useful_ = min_useful;
      arena.told_urgency_ = urgency;
    }
    release.mutable_released()->set_lease_id(books.lease.value());
    release.mutable_released()->set_cumulative_slots(books.released);
  }
  // In this order: what is given back must not be granted again for a want that is out of date.
  if (want_changed) Send(want);
  if (released) Send(release);
}

void SessionWorker::TellHolding(Arena& arena) {
  if (connection_ == nullptr) return;
  arena.awake_for_report_ = false;  // before the report is read: a newer one wakes again
  HoldingReport report;
  {
    absl::MutexLock lock(&arena.mu_);
    if (!arena.books_.lease) return;
    report = arena.report_;
  }
  v1::ClientMessage message;
  *message.mutable_holding() = HoldingOf(arena.id_, arena.slot_bytes() * arena.table_.mapped(),
                                         arena.slot_bytes() * arena.table_.ready(), report, target_revision_);
  HoldingReporter& reporter = reporters_[arena.id_];
  if (reporter.IsDue(message.holding(), MonotonicNow())) Send(message);
  if (reporter.held_back()) arena.awake_for_report_ = true;  // it is looked at soon anyway
  WakeAt(reporter.next());
}

void SessionWorker::Fetch(Arena& arena, uint64_t confirm_batch) {
  const uint64_t desired = arena.DesiredSlots();
  v1::ClientFrame frame;
  {
    absl::MutexLock lock(&arena.mu_);
    LeaseBooks& books = arena.books_;
    if (!books.lease) return;
    // What was received is mapped, or about to be.
    const uint64_t here = books.received - books.released + books.foreign;
    const uint64_t missing = desired > here ? desired - here : 0;
    uint64_t slots = std::min(missing, books.fetchable());
    if (slots > 0 && MonotonicNow() < arena.no_fetch_before_) {
      WakeAt(arena.no_fetch_before_);
      slots = 0;
    }
    if (!books.fetching && !books.nothing_left && slots > 0) {
      const uint64_t batch = std::max<uint64_t>(1, kFetchExtents / arena.planes());
      frame.mutable_fetch()->set_lease_id(books.lease.value());
      frame.mutable_fetch()->set_max_slots(static_cast<uint32_t>(std::min(slots, batch)));
      frame.mutable_fetch()->set_confirm_batch(confirm_batch);
      books.NoteFetch();
    } else if (confirm_batch != 0) {
      frame.mutable_confirm()->set_lease_id(books.lease.value());
      frame.mutable_confirm()->set_batch(confirm_batch);
    } else {
      return;
    }
  }
  SendFrame(frame);
}

}  // namespace kvbroker
