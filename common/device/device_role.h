#ifndef KVBROKER_COMMON_DEVICE_DEVICE_ROLE_H_
#define KVBROKER_COMMON_DEVICE_DEVICE_ROLE_H_

namespace kvbroker {

// Which half of a Device a process uses. The owner (the broker) makes and exports extents, and a GPU that is opened for
// it gets no context of this process: that costs 4 MiB of the GPU instead of 500, and no fault of a kernel can reach
// the process. The mapper (a client) imports and maps, which needs a context.
enum class DeviceRole { kOwner, kMapper };

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_DEVICE_ROLE_H_
