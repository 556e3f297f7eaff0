#include "tests/replay/model_shape.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kvbroker::replay {

const std::vector<ModelShape>& KnownModels() {
  static const auto& models = *new std::vector<ModelShape>{
      {.name = "llama-3.1-8b", .layers = 32, .kv_heads = 8, .head_size = 128},
      {.name = "llama-3.1-70b", .layers = 80, .kv_heads = 8, .head_size = 128},
      {.name = "llama-3.2-1b", .layers = 16, .kv_heads = 8, .head_size = 64},
      {.name = "llama-3.2-3b", .layers = 28, .kv_heads = 8, .head_size = 128},
      {.name = "mistral-7b", .layers = 32, .kv_heads = 8, .head_size = 128},
      {.name = "qwen3-0.6b", .layers = 28, .kv_heads = 8, .head_size = 128},
      {.name = "qwen3-8b", .layers = 36, .kv_heads = 8, .head_size = 128},
  };
  return models;
}

absl::StatusOr<ModelShape> FindModel(absl::string_view name) {
  for (const ModelShape& model : KnownModels()) {
    if (absl::EqualsIgnoreCase(model.name, name)) return model;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", name, "' is no model known here; there are ",
                   absl::StrJoin(KnownModels(), ", ",
                                 [](std::string* out, const ModelShape& model) { absl::StrAppend(out, model.name); }),
                   "; for others give --kv-bytes-per-token"));
}

}  // namespace kvbroker::replay
