#ifndef KVBROKER_TESTS_REPLAY_MESSAGES_H_
#define KVBROKER_TESTS_REPLAY_MESSAGES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/bytes.h"

namespace kvbroker::replay {

// What a tenant's process tells the coordinator, a line of JSON each: Ready, then Result; or Failure, and no more.

// The session is open, the addresses are reserved.
struct Ready {
  std::string device_uuid;
  std::string device_kind;
  Bytes capacity;
  std::optional<Bytes> limit;
};

// What came of the replay.
struct Result {
  double seconds = 0;  // of the replay's clock, at the end

  uint64_t arrived = 0;
  uint64_t done = 0;
  uint64_t unfinished = 0;
  uint64_t too_large = 0;
  uint64_t preemptions = 0;
  uint64_t preempted_for_target = 0;  // of which
  uint64_t refault = 0;               // bytes that were computed again because of those
  uint64_t tokens = 0;
  uint64_t steps = 0;

  uint64_t takes = 0;            // times that blocks were needed
  std::vector<double> waits_ms;  // one of each that had to wait

  uint64_t filled = 0;  // bytes
  uint64_t verified = 0;
  double pattern_seconds = 0;  // in filling and verifying
  uint64_t wrong_words = 0;

  uint64_t evicted_blocks = 0;  // of the prefix cache

  // What the broker asked for, and what came of it; see TargetLog.
  uint64_t targets = 0;
  uint64_t targets_answered = 0;
  uint64_t targets_late = 0;
  uint64_t reclaimed = 0;  // bytes
  std::vector<double> answers_ms;

  double busy_held = 0;  // byte-seconds of what it needed while it was busy
  double busy_needed = 0;

  uint64_t mapped = 0;  // bytes, in all
  uint64_t unmapped = 0;
  double growing_seconds = 0;
  double mean_growth = 0;  // bytes a second
  double best_growth = 0;

  uint64_t peak_mapped = 0;     // bytes, at once
  uint64_t peak_in_blocks = 0;  // of running requests
  uint64_t peak_cached = 0;

  uint64_t refusals = 0;
  std::string refusal;  // the last one's text
  uint64_t broker_losses = 0;

  // The tenant's own view, in samples.
  std::vector<double> sample_seconds;
  std::vector<double> sample_mapped;
  std::vector<double> sample_in_blocks;
  std::vector<double> sample_cached;
  std::vector<double> sample_running;
  std::vector<double> sample_queued;
};

struct Failure {
  std::string text;
};

using Message = std::variant<Ready, Result, Failure>;

// One line, its line feed included.
std::string ToLine(const Message& message);

// DATA_LOSS: the line is no message.
absl::StatusOr<Message> ParseLine(absl::string_view line);

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_MESSAGES_H_
