#include "client/arena/slot_table.h"

#include <bit>

namespace kvbroker {

AtomicSet::AtomicSet(uint64_t size)
    : words_((size + kBits - 1) / kBits),
      members_(new std::atomic<uint64_t>[words_]()),
      summary_(new std::atomic<uint64_t>[(words_ + kBits - 1) / kBits]()) {}

bool AtomicSet::Add(uint64_t i) {
  const uint64_t word = i / kBits;
  const uint64_t bit = uint64_t{1} << (i % kBits);
  const uint64_t before = members_[word].fetch_or(bit, std::memory_order_acq_rel);
  // After the member: whoever clears the summary's bit looks at the word again.
  if (before == 0) summary_[word / kBits].fetch_or(uint64_t{1} << (word % kBits), std::memory_order_acq_rel);
  return (before & bit) == 0;
}

bool AtomicSet::Remove(uint64_t i) {
  const uint64_t bit = uint64_t{1} << (i % kBits);
  return (members_[i / kBits].fetch_and(~bit, std::memory_order_acq_rel) & bit) != 0;
}

bool AtomicSet::Contains(uint64_t i) const {
  return (members_[i / kBits].load(std::memory_order_acquire) >> (i % kBits) & 1) != 0;
}

void AtomicSet::ClearSummary(uint64_t word) {
  const uint64_t bit = uint64_t{1} << (word % kBits);
  summary_[word / kBits].fetch_and(~bit, std::memory_order_acq_rel);
  if (members_[word].load(std::memory_order_acquire) != 0) {
    summary_[word / kBits].fetch_or(bit, std::memory_order_acq_rel);
  }
}

std::optional<uint64_t> AtomicSet::TakeLowest() {
  const uint64_t summaries = (words_ + kBits - 1) / kBits;
  for (uint64_t s = 0; s < summaries; ++s) {
    for (uint64_t hints = summary_[s].load(std::memory_order_acquire); hints != 0; hints &= hints - 1) {
      const uint64_t word = s * kBits + static_cast<uint64_t>(std::countr_zero(hints));
      uint64_t members = members_[word].load(std::memory_order_acquire);
      while (members != 0) {
        const uint64_t bit = members & (~members + 1);
        members = members_[word].fetch_and(~bit, std::memory_order_acq_rel);
        if ((members & bit) != 0) return word * kBits + static_cast<uint64_t>(std::countr_zero(bit));
      }
      ClearSummary(word);
    }
  }
  return std::nullopt;
}

std::optional<uint64_t> AtomicSet::TakeHighest() {
  const uint64_t summaries = (words_ + kBits - 1) / kBits;
  for (uint64_t s = summaries; s-- > 0;) {
    uint64_t hints = summary_[s].load(std::memory_order_acquire);
    while (hints != 0) {
      const uint64_t top = kBits - 1 - static_cast<uint64_t>(std::countl_zero(hints));
      hints &= ~(uint64_t{1} << top);
      const uint64_t word = s * kBits + top;
      uint64_t members = members_[word].load(std::memory_order_acquire);
      while (members != 0) {
        const uint64_t i = kBits - 1 - static_cast<uint64_t>(std::countl_zero(members));
        const uint64_t bit = uint64_t{1} << i;
        members = members_[word].fetch_and(~bit, std::memory_order_acq_rel);
        if ((members & bit) != 0) return word * kBits + i;
      }
      ClearSummary(word);
    }
  }
  return std::nullopt;
}

SlotTable::SlotTable(uint64_t slots) : slots_(slots), unmapped_(slots), ready_(slots), taken_(slots) {
  for (uint64_t i = 0; i < slots; ++i) unmapped_.Add(i);
}

std::optional<uint64_t> SlotTable::Take() {
  const std::optional<uint64_t> slot = ready_.TakeLowest();
  if (slot.has_value()) {
    ready_count_.fetch_sub(1, std::memory_order_relaxed);
    taken_count_.fetch_add(1, std::memory_order_relaxed);
    taken_.Add(*slot);
  }
  return slot;
}

bool SlotTable::Return(uint64_t slot) {
  if (!Retire(slot)) return false;
  Unwithdraw(slot);
  return true;
}

bool SlotTable::Retire(uint64_t slot) {
  if (slot >= slots_ || !taken_.Remove(slot)) return false;
  taken_count_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

void SlotTable::Unretire(uint64_t slot) {
  taken_count_.fetch_add(1, std::memory_order_relaxed);
  taken_.Add(slot);
}

std::optional<uint64_t> SlotTable::LowestUnmapped() { return unmapped_.TakeLowest(); }

void SlotTable::Publish(uint64_t slot) {
  mapped_.fetch_add(1, std::memory_order_relaxed);
  Unwithdraw(slot);
}

void SlotTable::SetUnmapped(uint64_t slot) { unmapped_.Add(slot); }

void SlotTable::NoteUnmapped(uint64_t slot) {
  mapped_.fetch_sub(1, std::memory_order_relaxed);
  unmapped_.Add(slot);
}

void SlotTable::NoteStuckInPart() {
  mapped_.fetch_add(1, std::memory_order_relaxed);
  NoteStuck();
}

std::optional<uint64_t> SlotTable::WithdrawHighest() {
  const std::optional<uint64_t> slot = ready_.TakeHighest();
  if (slot.has_value()) ready_count_.fetch_sub(1, std::memory_order_relaxed);
  return slot;
}

void SlotTable::Unwithdraw(uint64_t slot) {
  ready_count_.fetch_add(1, std::memory_order_relaxed);
  ready_.Add(slot);
}

}  // namespace kvbroker
