#include "tests/sim/sim_device.h"

#include <algorithm>

#include "common/base/check.h"

namespace kvbroker::sim {

std::optional<SimDevice::Slot> SimDevice::Create(Bytes bytes, bool issued) {
  if (bytes > free()) return std::nullopt;
  if (rng_.Chance(options_.create_fails)) {
    // Some planes were made, and go again in the device's own time.
    const Bytes part(rng_.Below(bytes.in_bytes() + 1));
    Take(part, false);
    timeline_.After(rng_.UpTo(options_.slowest_free), [this, part] { Free(part, false); });
    return std::nullopt;
  }
  Take(bytes, issued);
  slots_[next_] = {.bytes = bytes, .issued = issued};
  return next_++;
}

void SimDevice::LetGo(Slot slot) {
  Memory& memory = slots_.at(slot);
  KVB_CHECK(memory.holders > 0, "memory is let go of once by each who holds it");
  if (--memory.holders > 0) return;
  timeline_.After(rng_.UpTo(options_.slowest_free), [this, slot] {
    const Memory gone = slots_.at(slot);
    slots_.erase(slot);
    Free(gone.bytes, gone.issued);
  });
}

void SimDevice::Adopt(Slot slot) {
  Memory& memory = slots_.at(slot);
  if (memory.issued) return;
  memory.issued = true;
  issued_ += memory.bytes;
  others_shrank_ += memory.bytes;
}

void SimDevice::Disown(Slot slot) {
  Memory& memory = slots_.at(slot);
  if (!memory.issued) return;
  memory.issued = false;
  issued_ -= memory.bytes;
  others_grew_ += memory.bytes;
}

void SimDevice::UseFromOutside(Bytes bytes) {
  const Bytes target = std::min(bytes, outside_ + free());
  if (target > outside_) {
    Take(target - outside_, false);
  } else {
    Free(outside_ - target, false);
  }
  outside_ = target;
}

Bytes SimDevice::TakeOutside(Bytes bytes) {
  const Bytes taken = std::min(bytes, free());
  Take(taken, false);
  return taken;
}

void SimDevice::Take(Bytes bytes, bool issued) {
  used_ += bytes;
  (issued ? issued_ : others_grew_) += bytes;
}

void SimDevice::Free(Bytes bytes, bool issued) {
  used_ -= bytes;
  if (issued) {
    issued_ -= bytes;
  } else {
    others_shrank_ += bytes;
  }
}

}  // namespace kvbroker::sim
