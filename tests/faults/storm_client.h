#ifndef KVBROKER_TESTS_FAULTS_STORM_CLIENT_H_
#define KVBROKER_TESTS_FAULTS_STORM_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <string>

namespace kvbroker {

// What a client tells of itself while it lives, in memory that it shares with whoever started it.
struct StormTally {
  std::atomic<uint64_t> slots{0};            // taken
  std::atomic<uint64_t> not_zero{0};         // of these: had something in them, in any word
  std::atomic<uint64_t> not_kept{0};         // did not hold what was written, in any word
  std::atomic<uint64_t> longest_wait_us{0};  // from wanting a slot to having it, whatever came between
};

// Lives until it is killed: wants more and less at random, takes what it gets, sees that it is zero, writes to it, sees that
// it keeps that, and gives back.
[[noreturn]] void RunStormClient(const std::string& socket, const std::string& tenant, uint64_t seed,
                                 StormTally& tally);

}  // namespace kvbroker

#endif  // KVBROKER_TESTS_FAULTS_STORM_CLIENT_H_
