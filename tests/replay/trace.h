#ifndef KVBROKER_TESTS_REPLAY_TRACE_H_
#define KVBROKER_TESTS_REPLAY_TRACE_H_

#include <cstddef>
#include <istream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tests/replay/request.h"

namespace kvbroker::replay {

// Requests read from a file, by arrival; the file's first row arrives at 0.
struct Trace {
  std::vector<Request> requests;
  size_t left_out = 0;  // rows without output tokens: requests that failed when the trace was taken
};

// Reads a public trace, known by its header:
//   Azure LLM inference   TIMESTAMP,ContextTokens,GeneratedTokens
//   BurstGPT              Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
// Columns are found by name; others are passed over. `model`: only rows with this Model; empty: all.
//
// INVALID_ARGUMENT names the file, the line and the value; NOT_FOUND: no such file, or no row of the model.
absl::StatusOr<Trace> ReadTrace(const std::string& path, absl::string_view model = "");

// As ReadTrace, from a stream; `name` stands for the file in errors.
absl::StatusOr<Trace> ParseTrace(std::istream& in, absl::string_view name, absl::string_view model = "");

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_TRACE_H_
