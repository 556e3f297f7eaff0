#ifndef KVBROKER_TESTS_REPLAY_REQUEST_H_
#define KVBROKER_TESTS_REPLAY_REQUEST_H_

#include <cstdint>

#include "absl/time/time.h"

namespace kvbroker::replay {

// One request to a model, as a trace or a generator has it.
struct Request {
  absl::Duration arrival;  // since the replay's start
  uint64_t prompt_tokens = 0;
  uint64_t output_tokens = 0;

  uint64_t total_tokens() const { return prompt_tokens + output_tokens; }
  friend bool operator==(const Request&, const Request&) = default;
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_REQUEST_H_
