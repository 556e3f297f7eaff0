#ifndef KVBROKER_TESTS_REPLAY_HOST_PATTERN_H_
#define KVBROKER_TESTS_REPLAY_HOST_PATTERN_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/bytes.h"
#include "tests/replay/pattern.h"

namespace kvbroker::replay {

// Patterns in memory of this process. Thread-compatible.
class HostPattern : public Pattern {
 public:
  // REQUIRES: `block` is a multiple of 16 bytes.
  explicit HostPattern(Bytes block) : words_(block.in_bytes() / sizeof(uint64_t)) {}

  absl::Status Fill(absl::Span<const PatternBlock> blocks) override;
  absl::StatusOr<uint64_t> CountWrongWords(absl::Span<const PatternBlock> blocks) override;

 private:
  const uint64_t words_;  // of a block
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_HOST_PATTERN_H_
