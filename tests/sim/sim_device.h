#ifndef KVBROKER_TESTS_SIM_SIM_DEVICE_H_
#define KVBROKER_TESTS_SIM_SIM_DEVICE_H_

#include <cstdint>
#include <map>
#include <optional>

#include "common/base/bytes.h"
#include "tests/sim/timeline.h"

namespace kvbroker::sim {

// A GPU's memory as it really is, which the broker never sees but through looks at its sums. Memory lives as long as
// somebody holds it, and shows as free some time after that. Creating may fail. Thread-compatible.
//
// Memory is in slots here: what a slot's planes are is nobody's business.
class SimDevice {
 public:
  using Slot = uint64_t;

  struct Options {
    Bytes total;
    absl::Duration slowest_free;
    uint64_t create_fails = 0;  // percent
  };

  // Neither is owned; both must outlive this.
  SimDevice(const Options& options, Timeline& timeline, Rng& rng) : options_(options), timeline_(timeline), rng_(rng) {}

  // None: out of memory. The slot is held once. `issued`: by the broker that is being tested.
  std::optional<Slot> Create(Bytes bytes, bool issued);
  void Hold(Slot slot) { ++slots_.at(slot).holders; }
  void LetGo(Slot slot);
  // The broker has taken over a slot that an earlier one issued.
  void Adopt(Slot slot);

  // The broker that issued a slot, and has handed it to nobody, is dead: it is nobody's until it is free.
  void Disown(Slot slot);

  // Programs that know nothing of the broker use so much from now on, or what there is.
  void UseFromOutside(Bytes bytes);
  // A process allocates beside the broker; it gets what there is. It gives it back itself.
  Bytes TakeOutside(Bytes bytes);
  void ReturnOutside(Bytes bytes) { Free(bytes, false); }
  void StopFailing() { options_.create_fails = 0; }

  Bytes total() const { return options_.total; }
  Bytes free() const { return options_.total - used_; }
  // What the broker issued and is not free yet.
  Bytes issued() const { return issued_; }
  // By how much what is not the broker's grew, and shrank, in all.
  Bytes others_grew() const { return others_grew_; }
  Bytes others_shrank() const { return others_shrank_; }

 private:
  struct Memory {
    Bytes bytes;
    uint64_t holders = 1;
    bool issued = false;
  };

  void Take(Bytes bytes, bool issued);
  void Free(Bytes bytes, bool issued);

  Options options_;
  Timeline& timeline_;
  Rng& rng_;
  std::map<Slot, Memory> slots_;
  Slot next_ = 1;
  Bytes used_;
  Bytes issued_;
  Bytes outside_;
  Bytes others_grew_;
  Bytes others_shrank_;
};

}  // namespace kvbroker::sim

#endif  // KVBROKER_TESTS_SIM_SIM_DEVICE_H_
