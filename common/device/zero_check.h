#ifndef KVBROKER_COMMON_DEVICE_ZERO_CHECK_H_
#define KVBROKER_COMMON_DEVICE_ZERO_CHECK_H_

#include <cstddef>

#include "absl/status/status.h"
#include "common/base/bytes.h"
#include "common/device/device.h"

namespace kvbroker {

// Makes `count` extents of `extent` bytes each, writes to all of them, lets go of them, makes as many anew, and reads those:
// that memory is zeroed between two owners is what keeps tenants' data apart, and up to the driver. The device is open as
// mapper, and used by the calling thread. That the same memory came back cannot be told; a driver that has little reason to
// give out other memory gives out what was freed last.
//
// DATA_LOSS: some of it was not zero; says how much. Else the device's own error: it could not be tried.
absl::Status CheckZeroing(Device& device, Bytes extent, size_t count);

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_ZERO_CHECK_H_
