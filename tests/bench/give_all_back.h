#ifndef KVBROKER_TESTS_BENCH_GIVE_ALL_BACK_H_
#define KVBROKER_TESTS_BENCH_GIVE_ALL_BACK_H_

#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

#include "client/arena/arena.h"

namespace kvbroker {

// Gives back everything the arena has, and waits until it is unmapped.
inline void GiveAllBack(Arena& arena) {
  arena.SetWant(0).IgnoreError();
  std::vector<uint64_t> slots;
  while (const std::optional<uint64_t> slot = arena.Take()) slots.push_back(*slot);
  arena.Retire(slots).IgnoreError();
  while (arena.stats().mapped > 0) std::this_thread::yield();
}

}  // namespace kvbroker

#endif  // KVBROKER_TESTS_BENCH_GIVE_ALL_BACK_H_
