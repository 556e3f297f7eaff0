#ifndef KVBROKER_TESTS_REPLAY_METERED_PATTERN_H_
#define KVBROKER_TESTS_REPLAY_METERED_PATTERN_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/bytes.h"
#include "tests/replay/pattern.h"

namespace kvbroker::replay {

// A pattern that counts what it did and how long that took. Filling a GPU is only started: the time of it shows when it
// is verified. Thread-bound where the pattern is.
class MeteredPattern : public Pattern {
 public:
  // `pattern` is not owned and must outlive this.
  MeteredPattern(Pattern& pattern, Bytes block) : pattern_(pattern), block_(block) {}

  absl::Status Fill(absl::Span<const PatternBlock> blocks) override {
    const absl::Time start = absl::Now();
    const absl::Status status = pattern_.Fill(blocks);
    busy_ += absl::Now() - start;
    filled_ += block_ * blocks.size();
    return status;
  }
  absl::StatusOr<uint64_t> CountWrongWords(absl::Span<const PatternBlock> blocks) override {
    const absl::Time start = absl::Now();
    absl::StatusOr<uint64_t> wrong = pattern_.CountWrongWords(blocks);
    busy_ += absl::Now() - start;
    verified_ += block_ * blocks.size();
    return wrong;
  }

  Bytes filled() const { return filled_; }
  Bytes verified() const { return verified_; }
  // In both.
  absl::Duration busy() const { return busy_; }

 private:
  Pattern& pattern_;  // Not owned.
  const Bytes block_;
  Bytes filled_;
  Bytes verified_;
  absl::Duration busy_;
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_METERED_PATTERN_H_
