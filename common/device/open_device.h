#ifndef KVBROKER_COMMON_DEVICE_OPEN_DEVICE_H_
#define KVBROKER_COMMON_DEVICE_OPEN_DEVICE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/bytes.h"
#include "common/device/device.h"
#include "common/device/device_role.h"

namespace kvbroker {

struct OpenOptions {
  DeviceRole role = DeviceRole::kMapper;
  Bytes host_memory = GiB(2);  // what a host device may give out in all; a GPU has what it has
  std::string host_owner;      // tells what an earlier owner left; see HostDevice::Options
};

// Opens the device that `spec` names:
//
//   cuda:0            the first GPU of those that CUDA_VISIBLE_DEVICES leaves; or 0 alone
//   cuda:GPU-<uuid>   the GPU with this UUID, as nvidia-smi writes it; or the UUID alone
//   host              host memory; its UUID is HOST-host
//   host:<name>       host memory with the UUID HOST-<name>
//   auto, or nothing  cuda:0 where there is a usable GPU, else host, and the log says why
//
// INVALID_ARGUMENT: none of these; names the text and what is accepted. Else what the device's own Open says.
absl::StatusOr<std::unique_ptr<Device>> OpenDevice(absl::string_view spec, const OpenOptions& options);

// Opens, as mapper, the device of which a DeviceInfo tells: what a client does with its broker's. INVALID_ARGUMENT:
// `uuid` is none of a device of this kind.
absl::StatusOr<std::unique_ptr<Device>> OpenDeviceByUuid(absl::string_view uuid, absl::string_view kind);

namespace internal {

// What a spec says, without looking whether it is there.
struct DeviceSpec {
  enum class Kind { kAuto, kCuda, kHost };
  Kind kind = Kind::kAuto;
  int ordinal = 0;   // of kCuda, where `uuid` is empty
  std::string uuid;  // of kCuda
  std::string name;  // of kHost
};
absl::StatusOr<DeviceSpec> ParseDeviceSpec(absl::string_view text);

}  // namespace internal
}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_OPEN_DEVICE_H_
