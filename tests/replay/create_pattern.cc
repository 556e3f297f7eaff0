#include "tests/replay/create_pattern.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tests/replay/cuda_pattern.h"
#include "tests/replay/host_pattern.h"

namespace kvbroker::replay {

absl::StatusOr<std::unique_ptr<Pattern>> CreatePattern(Device& device, Bytes block) {
  const std::string& kind = device.info().kind;
  if (kind == "host") return std::make_unique<HostPattern>(block);
  if (kind == "cuda") return CreateCudaPattern(device, block);
  return absl::UnimplementedError(absl::StrCat("no pattern for a device of kind '", kind, "'"));
}

}  // namespace kvbroker::replay
