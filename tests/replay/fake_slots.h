#ifndef KVBROKER_TESTS_REPLAY_FAKE_SLOTS_H_
#define KVBROKER_TESTS_REPLAY_FAKE_SLOTS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tests/replay/block_pool.h"

namespace kvbroker::replay {

// Slots of this process's own memory; how many are ready is the test's to say. Thread-compatible.
class FakeSlots : public SlotSource {
 public:
  FakeSlots(uint64_t slots, Bytes slot)
      : slots_(slots), most_(slots), memory_(new uint64_t[slots * slot.in_bytes() / sizeof(uint64_t)]()) {}

  // More slots become ready.
  void Add(uint64_t count) {
    for (; count > 0; --count) ready_.insert(added_++);
  }
  // Ready ones are gone.
  void Withdraw() { ready_.clear(); }
  void SetMost(uint64_t most) { most_ = most; }
  void SetMayGrow(bool may_grow) { may_grow_ = may_grow; }
  uint64_t taken() const { return taken_.size(); }
  uint64_t retired() const { return retired_; }
  uint64_t wanted() const { return wanted_; }
  uint64_t min_new() const { return min_new_; }

  uint64_t base() const override { return reinterpret_cast<uint64_t>(memory_.get()); }
  uint64_t slots() const override { return slots_; }
  uint64_t most() const override { return most_; }
  uint64_t ready() const override { return ready_.size(); }
  bool may_grow() const override { return may_grow_; }
  std::optional<uint64_t> Take() override {
    if (ready_.empty()) return std::nullopt;
    const uint64_t slot = *ready_.begin();
    ready_.erase(slot);
    taken_.insert(slot);
    return slot;
  }
  absl::Status Return(uint64_t slot) override {
    if (taken_.erase(slot) == 0) return absl::FailedPreconditionError(absl::StrCat("slot ", slot, " is not taken"));
    ready_.insert(slot);
    return absl::OkStatus();
  }
  absl::Status Retire(uint64_t slot) override {
    if (taken_.erase(slot) == 0) return absl::FailedPreconditionError(absl::StrCat("slot ", slot, " is not taken"));
    ++retired_;
    return absl::OkStatus();
  }
  absl::Status Want(uint64_t slots, uint64_t min_new) override {
    wanted_ = slots;
    min_new_ = min_new;
    return absl::OkStatus();
  }

 private:
  const uint64_t slots_;
  uint64_t most_;
  bool may_grow_ = true;
  uint64_t retired_ = 0;
  const std::unique_ptr<uint64_t[]> memory_;
  uint64_t added_ = 0;
  std::set<uint64_t> ready_;
  std::set<uint64_t> taken_;
  uint64_t wanted_ = 0;
  uint64_t min_new_ = 0;
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_FAKE_SLOTS_H_
