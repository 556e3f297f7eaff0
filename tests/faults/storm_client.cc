#include "tests/faults/storm_client.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "absl/time/clock.h"
#include "client/arena/arena.h"
#include "client/session/session.h"
#include "common/device/mapped_words.h"

namespace kvbroker {
namespace {

constexpr Bytes kSlot = MiB(2);
constexpr uint64_t kMostSlots = 64;
constexpr absl::Duration kPatience = absl::Milliseconds(50);

class StormClient {
 public:
  StormClient(const std::string& socket, const std::string& tenant, uint64_t seed, StormTally& tally)
      : random_(seed), tally_(tally) {
    for (;;) {  // the broker may be away just now
      absl::StatusOr<std::unique_ptr<Session>> session =
          Session::Open({.tenant = tenant, .engine = "storm", .socket = socket});
      if (session.ok()) {
        session_ = *std::move(session);
        break;
      }
      absl::SleepFor(absl::Milliseconds(5));
    }
    arena_ = *session_->CreateArena({.planes = {kSlot}, .slots = kMostSlots, .low = 0});
    words_ = *MappedWords::Of(session_->device());
  }

  void Round() {
    HoldAtMostTheTarget();
    const uint64_t want = Below(kMostSlots / 2);
    arena_->SetWant(std::max<uint64_t>(want, slots_.size())).IgnoreError();
    const absl::Time now = absl::Now();
    if (slots_.size() >= want) {
      wanting_since_.reset();
    } else if (!wanting_since_.has_value()) {
      wanting_since_ = now;
    }
    while (slots_.size() < want && absl::Now() - now < kPatience) TakeOne();
    for (int i = 0; i < 4 && !slots_.empty(); ++i) Check(slots_[Below(slots_.size())]);
    if (Below(2) == 0) GiveBack(Below(slots_.size() + 1));
    absl::SleepFor(absl::Milliseconds(static_cast<int64_t>(Below(4))));
  }

 private:
  struct Taken {
    uint64_t slot;
    uint32_t mark;
  };

  uint64_t Below(uint64_t bound) { return std::uniform_int_distribution<uint64_t>(0, bound - 1)(random_); }
  uint64_t AddressOf(uint64_t slot) { return arena_->base(0) + slot * kSlot.in_bytes(); }

  void TakeOne() {
    if (!arena_->WaitReady(1, absl::Milliseconds(5)).ok()) {
      HoldAtMostTheTarget();
      return absl::SleepFor(absl::Milliseconds(1));  // no broker, or nothing to be had
    }
    const std::optional<uint64_t> slot = arena_->Take();
    if (!slot.has_value()) return;
    const absl::Time now = absl::Now();
    const auto waited = static_cast<uint64_t>(absl::ToInt64Microseconds(now - wanting_since_.value_or(now)));
    wanting_since_ = now;
    if (waited > tally_.longest_wait_us) tally_.longest_wait_us = waited;
    ++tally_.slots;
    // One that was given back to the arena and is used again has what was in it; those are never given back here.
    if (words_->CountOthers(AddressOf(*slot), kSlot, 0).value_or(1) != 0) ++tally_.not_zero;
    const auto mark = static_cast<uint32_t>(random_() | 1);
    words_->Fill(AddressOf(*slot), kSlot, mark).IgnoreError();  // what is not written is not kept either
    slots_.push_back({*slot, mark});
  }

  void Check(const Taken& taken) {
    if (words_->CountOthers(AddressOf(taken.slot), kSlot, taken.mark).value_or(1) != 0) ++tally_.not_kept;
  }

  void HoldAtMostTheTarget() {
    while (const std::optional<SessionEvent> event = session_->NextEvent()) {
      if (event->kind == SessionEvent::Kind::kTarget) target_ = event->bytes;
    }
    if (!target_.has_value()) return;
    const uint64_t most = *target_ / kSlot;
    if (slots_.size() > most) GiveBack(slots_.size() - most);
  }

  void GiveBack(uint64_t count) {
    std::vector<uint64_t> back;
    for (; count > 0; --count) {
      Check(slots_.back());
      back.push_back(slots_.back().slot);
      slots_.pop_back();
    }
    arena_->SetWant(slots_.size()).IgnoreError();
    arena_->Retire(back).IgnoreError();
  }

  std::mt19937_64 random_;
  StormTally& tally_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Arena> arena_;
  std::optional<MappedWords> words_;
  std::optional<Bytes> target_;
  std::optional<absl::Time> wanting_since_;  // or since it got the newest
  std::vector<Taken> slots_;
};

}  // namespace

void RunStormClient(const std::string& socket, const std::string& tenant, uint64_t seed, StormTally& tally) {
  StormClient client(socket, tenant, seed, tally);
  for (;;) client.Round();
}

}  // namespace kvbroker
