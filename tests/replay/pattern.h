#ifndef KVBROKER_TESTS_REPLAY_PATTERN_H_
#define KVBROKER_TESTS_REPLAY_PATTERN_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace kvbroker::replay {

// A block and what it holds.
struct PatternBlock {
  uint64_t address = 0;
  uint64_t seed = 0;
};

// Word i of a block's pattern is its seed and i times this (the golden ratio, odd): no two words of a block are alike,
// and a word that is another block's, another tenant's, or zero is seen.
inline constexpr uint64_t kPatternStep = 0x9E3779B97F4A7C15;

// Well spread seeds from numbers that are not.
constexpr uint64_t SpreadSeed(uint64_t x) {
  x += kPatternStep;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// Writes patterns into blocks of one size and verifies them, many blocks in one call.
//
// Thread-bound on a GPU: the thread that made it.
class Pattern {
 public:
  virtual ~Pattern() = default;

  // Writes each block's pattern. May return before it is written: later calls see it.
  virtual absl::Status Fill(absl::Span<const PatternBlock> blocks) = 0;

  // Waits for all that was started; then the blocks may be given away. The number of 8-byte words that are not as they
  // should be.
  virtual absl::StatusOr<uint64_t> CountWrongWords(absl::Span<const PatternBlock> blocks) = 0;
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_PATTERN_H_
