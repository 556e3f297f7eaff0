#ifndef KVBROKER_CLIENT_ARENA_SLOT_TABLE_H_
#define KVBROKER_CLIENT_ARENA_SLOT_TABLE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

namespace kvbroker {

// A set of small numbers from which any thread adds and takes without locks. A second level says which words of the
// first have members, so that finding one reads a few words, not all.
//
// Thread-safe, lock-free. A member is taken by exactly one thread. TakeLowest and TakeHighest may miss a member that is
// added while they look, never one that was there before and stays.
class AtomicSet {
 public:
  explicit AtomicSet(uint64_t size);

  // False: it was a member already.
  bool Add(uint64_t i);
  // False: it was no member.
  bool Remove(uint64_t i);
  bool Contains(uint64_t i) const;
  std::optional<uint64_t> TakeLowest();
  std::optional<uint64_t> TakeHighest();

 private:
  static constexpr uint64_t kBits = 64;

  // Clears the summary's bit of a word found empty, unless something came in meanwhile.
  void ClearSummary(uint64_t word);

  uint64_t words_;
  std::unique_ptr<std::atomic<uint64_t>[]> members_;
  std::unique_ptr<std::atomic<uint64_t>[]> summary_;  // bit w: word w may have members
};

// Which slots of an arena are in which state. Take() and Return() are lock-free; everything else is the background
// thread's, which alone maps and unmaps.
//
// Invariants: a mapped slot is ready, taken, stuck or on its way between two states by the one thread that moves it; no
// unmapped slot is ready or taken.
class SlotTable {
 public:
  explicit SlotTable(uint64_t slots);

  uint64_t slots() const { return slots_; }

  // The lowest ready slot is taken.
  std::optional<uint64_t> Take();
  // A taken slot becomes ready again. False: it is not taken.
  bool Return(uint64_t slot);
  // A taken slot is no longer the embedder's, but still mapped: its caller unmaps it. False: it is not taken.
  bool Retire(uint64_t slot);
  // Undoes Retire.
  void Unretire(uint64_t slot);

  // --- The background thread's.

  // The lowest slot that is not mapped, and none once all are.
  std::optional<uint64_t> LowestUnmapped();
  // A freshly mapped slot becomes ready. REQUIRES: it came from LowestUnmapped.
  void Publish(uint64_t slot);
  // Puts a slot from LowestUnmapped back: it could not be mapped.
  void SetUnmapped(uint64_t slot);
  // A slot that was retired or withdrawn is unmapped now.
  void NoteUnmapped(uint64_t slot);
  // It could not be unmapped: it counts as mapped for good, and is nobody's.
  void NoteStuck() { stuck_.fetch_add(1, std::memory_order_relaxed); }
  // The same of a slot from LowestUnmapped that was mapped in part.
  void NoteStuckInPart();
  // The highest ready slot, for unmapping; nobody can take it any more.
  std::optional<uint64_t> WithdrawHighest();
  // Undoes WithdrawHighest.
  void Unwithdraw(uint64_t slot);

  // Each exact for the thread that changes it, a moment old for others.
  uint64_t stuck() const { return stuck_.load(std::memory_order_relaxed); }
  uint64_t mapped() const { return mapped_.load(std::memory_order_relaxed); }
  uint64_t ready() const { return ready_count_.load(std::memory_order_relaxed); }
  uint64_t taken() const { return taken_count_.load(std::memory_order_relaxed); }

 private:
  const uint64_t slots_;
  AtomicSet unmapped_;
  AtomicSet ready_;
  AtomicSet taken_;
  std::atomic<uint64_t> mapped_{0};
  std::atomic<uint64_t> stuck_{0};
  std::atomic<uint64_t> ready_count_{0};
  std::atomic<uint64_t> taken_count_{0};
};

}  // namespace kvbroker

#endif  // KVBROKER_CLIENT_ARENA_SLOT_TABLE_H_
