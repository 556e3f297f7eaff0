#ifndef KVBROKER_TESTS_REPLAY_MODEL_SHAPE_H_
#define KVBROKER_TESTS_REPLAY_MODEL_SHAPE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/bytes.h"

namespace kvbroker::replay {

// What of a model decides how much KV cache a token takes.
struct ModelShape {
  std::string name;
  uint64_t layers = 0;
  uint64_t kv_heads = 0;
  uint64_t head_size = 0;
  Bytes value = Bytes(2);  // fp16, bf16

  // Keys and values, all layers.
  Bytes bytes_per_token() const { return value * 2 * layers * kv_heads * head_size; }
};

// The models known by name.
const std::vector<ModelShape>& KnownModels();

// INVALID_ARGUMENT: no such model; lists those there are. Upper and lower case are alike.
absl::StatusOr<ModelShape> FindModel(absl::string_view name);

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_MODEL_SHAPE_H_
