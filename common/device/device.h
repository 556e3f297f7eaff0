#ifndef KVBROKER_COMMON_DEVICE_DEVICE_H_
#define KVBROKER_COMMON_DEVICE_DEVICE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/bytes.h"
#include "common/base/unique_fd.h"

namespace kvbroker {

// What a device says of itself; constant after opening.
struct DeviceInfo {
  std::string kind;   // "cuda" or "host": how handles are imported
  std::string uuid;   // "GPU-…" as nvidia-smi writes it, or "HOST-<name>"
  std::string name;   // for people: "NVIDIA H100 80GB HBM3"
  Bytes granularity;  // extents are multiples of this
  int ordinal = 0;    // of a GPU: its number among those that this process sees, as CUDA counts them
};

// The device's memory at one moment.
struct DeviceMemory {
  Bytes total;
  Bytes free;            // what the device shows as free, whoever holds the rest
  Bytes used_by_caller;  // this process's own share, beside the extents it made; zero where the
                         // device does not tell
};

// Names a physical allocation of a Device in this process. Meaningless to another Device.
enum class RawExtent : uint64_t {};

// The seam to a GPU, or to host memory that stands in for one. The broker's half creates and
// exports extents and looks at the memory; the client's half imports them and maps them into
// reserved addresses. The owners in extent.h are how the project calls it; an implementation or a
// wrapper implements these.
//
// Thread-safe: all calls, from any threads. A thread that maps or unmaps calls BindThread() first.
class Device {
 public:
  virtual ~Device() = default;

  virtual const DeviceInfo& info() const = 0;

  // UNAVAILABLE: it does not answer now. DATA_LOSS: it is lost, with all that was on it; says why.
  virtual absl::StatusOr<DeviceMemory> Memory() = 0;

  // --- The broker's half.

  // Makes an extent of zeroed memory. `bytes` is a multiple of the granularity, else
  // INVALID_ARGUMENT. RESOURCE_EXHAUSTED: the device has not that much free now, a normal event.
  virtual absl::StatusOr<RawExtent> Create(Bytes bytes) = 0;

  // A descriptor that makes the extent usable in another process. Each call gives a new one.
  virtual absl::StatusOr<UniqueFd> Export(RawExtent extent) = 0;

  // --- The client's half.

  // Makes the extent behind `fd` usable here; `fd` is borrowed and may be closed afterwards.
  // INVALID_ARGUMENT: `fd` is no extent of this device, or not of this size.
  virtual absl::StatusOr<RawExtent> Import(int fd, Bytes bytes) = 0;

  // Reserves addresses with nothing behind them; touching them is fatal. `bytes` is a multiple of
  // the granularity.
  virtual absl::StatusOr<uint64_t> Reserve(Bytes bytes) = 0;

  // Gives a reservation back. REQUIRES: nothing is mapped in it.
  virtual absl::Status FreeReservation(uint64_t address, Bytes bytes) = 0;

  // Puts the whole extent behind the reserved addresses [address, address + bytes), readable and
  // writable by this device. On an error nothing is mapped. The mapping keeps the memory; the
  // extent may be released afterwards.
  virtual absl::Status Map(uint64_t address, Bytes bytes, RawExtent extent) = 0;

  // Takes what one Map put there away; the addresses stay reserved. Waits for no work: the caller
  // has fenced.
  virtual absl::Status Unmap(uint64_t address, Bytes bytes) = 0;

  // Makes the calling thread able to map and unmap on this device. Cheap when repeated.
  virtual absl::Status BindThread() = 0;

  // --- Both.

  // Lets go of the extent here. Its memory is free once no process holds, maps or could still
  // import it.
  virtual absl::Status Release(RawExtent extent) = 0;
};

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_DEVICE_H_
