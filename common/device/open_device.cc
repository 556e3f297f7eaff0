#include "common/device/open_device.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/log.h"
#include "common/base/status.h"
#include "common/device/cuda/cuda_device.h"
#include "common/device/cuda/gpu_uuid.h"
#include "common/device/host/host_device.h"

namespace kvbroker {
namespace {

using internal::DeviceSpec;

absl::Status NoDevice(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat(Quoted(text), " names no device; write cuda:0, cuda:GPU-<uuid>, host, host:<name> or auto"));
}

absl::StatusOr<std::unique_ptr<Device>> OpenCuda(const DeviceSpec& spec, const OpenOptions& options) {
  return CudaDevice::Open({.ordinal = spec.ordinal, .uuid = spec.uuid, .role = options.role});
}

absl::StatusOr<std::unique_ptr<Device>> OpenHost(const DeviceSpec& spec, const OpenOptions& options) {
  return HostDevice::Open({.name = spec.name, .capacity = options.host_memory, .owner = options.host_owner});
}

absl::StatusOr<std::unique_ptr<Device>> OpenWhatThereIs(const OpenOptions& options) {
  absl::StatusOr<std::unique_ptr<Device>> cuda = OpenCuda({}, options);
  if (cuda.ok()) return cuda;
  LogInfo("no usable GPU, host memory takes its place: ", cuda.status().message());
  return OpenHost({.name = "host"}, options);
}

}  // namespace

absl::StatusOr<DeviceSpec> internal::ParseDeviceSpec(absl::string_view text) {
  if (text.empty() || text == "auto") return DeviceSpec{};
  if (text == "host") return DeviceSpec{.kind = DeviceSpec::Kind::kHost, .name = "host"};
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "host:") && !rest.empty()) {
    return DeviceSpec{.kind = DeviceSpec::Kind::kHost, .name = std::string(rest)};
  }
  absl::ConsumePrefix(&rest, "cuda:");
  if (IsGpuUuid(rest)) return DeviceSpec{.kind = DeviceSpec::Kind::kCuda, .uuid = std::string(rest)};
  int ordinal;
  if (absl::SimpleAtoi(rest, &ordinal) && ordinal >= 0) {
    return DeviceSpec{.kind = DeviceSpec::Kind::kCuda, .ordinal = ordinal};
  }
  return NoDevice(text);
}

absl::StatusOr<std::unique_ptr<Device>> OpenDevice(absl::string_view text, const OpenOptions& options) {
  KVB_ASSIGN_OR_RETURN(const DeviceSpec spec, internal::ParseDeviceSpec(text));
  switch (spec.kind) {
    case DeviceSpec::Kind::kCuda:
      return OpenCuda(spec, options);
    case DeviceSpec::Kind::kHost:
      return OpenHost(spec, options);
    case DeviceSpec::Kind::kAuto:
      break;
  }
  return OpenWhatThereIs(options);
}

absl::StatusOr<std::unique_ptr<Device>> OpenDeviceByUuid(absl::string_view uuid, absl::string_view kind) {
  if (kind == "cuda" && IsGpuUuid(uuid)) return OpenDevice(absl::StrCat("cuda:", uuid), {});
  absl::string_view name = uuid;
  if (kind == "host" && absl::ConsumePrefix(&name, "HOST-") && !name.empty()) {
    return OpenDevice(absl::StrCat("host:", name), {});
  }
  return absl::InvalidArgumentError(absl::StrCat(Quoted(uuid), " is no UUID of a device of kind ", Quoted(kind),
                                                 "; there are GPU-<uuid> of cuda and HOST-<name> of host"));
}

}  // namespace kvbroker
