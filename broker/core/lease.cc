#include "broker/core/lease.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"

namespace kvbroker {
namespace {

// Moves `slots` from one count to another.
void Move(uint64_t slots, uint64_t& from, uint64_t& to) {
  KVB_CHECK(slots <= from, "a lease has fewer slots in that state");
  from -= slots;
  to += slots;
}

}  // namespace

Lease::Lease(LeaseId id, SessionId session, ArenaId arena, std::vector<Bytes> planes, uint64_t slots)
    : id_(id), session_(session), arena_(arena), planes_(std::move(planes)), slot_bytes_(Sum(planes_)), slots_(slots) {}

void Lease::Grant(uint64_t slots) {
  counts_.starved += slots;
  total_granted_ += slots;
}

void Lease::Adopt(uint64_t slots) {
  counts_.active += slots;
  total_granted_ += slots;
}

void Lease::AdoptReturned(uint64_t slots) { counts_.returned += slots; }

void Lease::StartMaking(uint64_t slots) { Move(slots, counts_.starved, counts_.making); }

void Lease::MakeFailed(uint64_t slots) {
  const uint64_t unwanted = std::min(slots, counts_.unwanted);
  counts_.unwanted -= unwanted;
  Move(slots - unwanted, counts_.making, counts_.starved);
}

uint64_t Lease::Made(uint64_t slots) {
  const uint64_t unwanted = std::min(slots, counts_.unwanted);
  Move(unwanted, counts_.unwanted, counts_.returned);
  Move(slots - unwanted, counts_.making, counts_.made);
  return unwanted;
}

absl::StatusOr<BatchId> Lease::Send(uint64_t slots) {
  if (batch_out()) {
    return absl::FailedPreconditionError(
        absl::StrCat("batch ", batch_.value(), " of lease ", id_.value(), " is out and not confirmed"));
  }
  KVB_CHECK(slots > 0, "an empty batch");
  Move(slots, counts_.made, counts_.sent);
  batch_ = BatchId(batch_.value() + 1);
  return batch_;
}

absl::StatusOr<Lease::Confirmed> Lease::Confirm(BatchId batch) {
  if (!batch || batch != batch_) {
    return absl::InvalidArgumentError(absl::StrCat("lease ", id_.value(), " has no batch ", batch.value()));
  }
  const Confirmed confirmed = {.slots = counts_.sent, .returned = std::exchange(released_early_, 0)};
  Move(confirmed.slots, counts_.sent, counts_.active);
  Move(confirmed.returned, counts_.active, counts_.returned);
  return confirmed;
}

absl::StatusOr<uint64_t> Lease::Nack(BatchId batch) {
  if (!batch || batch != batch_) {
    return absl::InvalidArgumentError(absl::StrCat("lease ", id_.value(), " has no batch ", batch.value()));
  }
  // The descriptors may still be in somebody's hands: what was sent counts as returned until the device shows it.
  const uint64_t slots = counts_.sent;
  Move(slots, counts_.sent, counts_.returned);
  released_early_ = 0;
  total_revoked_ += slots;
  return slots;
}

absl::StatusOr<uint64_t> Lease::Release(uint64_t total) {
  if (total <= total_released_) return 0;
  const uint64_t more = total - total_released_;
  const uint64_t unconfirmed = counts_.sent - released_early_;
  if (more > counts_.active + unconfirmed) {
    return absl::InvalidArgumentError(absl::StrCat("lease ", id_.value(), " has ", counts_.active, " active slots and ",
                                                   unconfirmed, " unconfirmed ones and cannot give back ", more));
  }
  total_released_ = total;
  const uint64_t returned = std::min(more, counts_.active);
  Move(returned, counts_.active, counts_.returned);
  released_early_ += more - returned;
  return returned;
}

Lease::Revoked Lease::Revoke(uint64_t slots) {
  const uint64_t starved = std::min(slots, counts_.starved);
  const uint64_t making = std::min(slots - starved, counts_.making);
  const uint64_t made = std::min(slots - starved - making, counts_.made);
  counts_.starved -= starved;
  Move(making, counts_.making, counts_.unwanted);
  Move(made, counts_.made, counts_.returned);
  const uint64_t revoked = starved + making + made;
  total_revoked_ += revoked;
  return {.slots = revoked, .discard = made};
}

Lease::Abandoned Lease::Abandon() {
  const Abandoned abandoned = {.discard = counts_.made, .batch_out = batch_out()};
  Revoke(counts_.held());
  Move(counts_.sent, counts_.sent, counts_.returned);
  released_early_ = 0;
  Move(counts_.active, counts_.active, counts_.returned);
  pending_fetch.reset();
  want = Want();
  return abandoned;
}

void Lease::Credit(uint64_t slots) {
  KVB_CHECK(slots <= counts_.returned, "more slots credited than returned");
  counts_.returned -= slots;
}

}  // namespace kvbroker
