#include "common/device/cuda/driver_api.h"

#include "common/base/status.h"
#include "common/device/cuda/shared_library.h"

namespace kvbroker {

absl::StatusOr<const DriverApi*> DriverApi::Load() {
  // Never destroyed: the driver is still called while the process ends.
  static const auto* const loaded = new absl::StatusOr<DriverApi>(internal::LoadDriverApi("libcuda.so.1"));
  if (!loaded->ok()) return loaded->status();
  return &**loaded;
}

namespace internal {

absl::StatusOr<DriverApi> LoadDriverApi(const std::string& name) {
  KVB_ASSIGN_OR_RETURN(const SharedLibrary library, SharedLibrary::Open(name));
  DriverApi api;
  KVB_RETURN_IF_ERROR(library.Resolve("cuInit", api.init));
  KVB_RETURN_IF_ERROR(library.Resolve("cuDeviceGet", api.device_get));
  KVB_RETURN_IF_ERROR(library.Resolve("cuDeviceGetCount", api.device_get_count));
  KVB_RETURN_IF_ERROR(library.Resolve("cuDeviceGetName", api.device_get_name));
  KVB_RETURN_IF_ERROR(library.Resolve("cuDeviceGetUuid_v2", api.device_get_uuid));
  KVB_RETURN_IF_ERROR(library.Resolve("cuDeviceGetAttribute", api.device_get_attribute));
  KVB_RETURN_IF_ERROR(library.Resolve("cuDevicePrimaryCtxRetain", api.primary_ctx_retain));
  KVB_RETURN_IF_ERROR(library.Resolve("cuDevicePrimaryCtxRelease_v2", api.primary_ctx_release));
  KVB_RETURN_IF_ERROR(library.Resolve("cuDevicePrimaryCtxGetState", api.primary_ctx_get_state));
  KVB_RETURN_IF_ERROR(library.Resolve("cuCtxGetCurrent", api.ctx_get_current));
  KVB_RETURN_IF_ERROR(library.Resolve("cuCtxSetCurrent", api.ctx_set_current));
  KVB_RETURN_IF_ERROR(library.Resolve("cuCtxGetDevice", api.ctx_get_device));
  KVB_RETURN_IF_ERROR(library.Resolve("cuCtxSynchronize", api.ctx_synchronize));
  KVB_RETURN_IF_ERROR(library.Resolve("cuMemGetAllocationGranularity", api.mem_get_allocation_granularity));
  KVB_RETURN_IF_ERROR(library.Resolve("cuMemCreate", api.mem_create));
  KVB_RETURN_IF_ERROR(library.Resolve("cuMemRelease", api.mem_release));
  KVB_RETURN_IF_ERROR(library.Resolve("cuMemExportToShareableHandle", api.mem_export));
  KVB_RETURN_IF_ERROR(library.Resolve("cuMemImportFromShareableHandle", api.mem_import));
  KVB_RETURN_IF_ERROR(library.Resolve("cuMemGetAllocationPropertiesFromHandle", api.mem_get_properties));
  KVB_RETURN_IF_ERROR(library.Resolve("cuMemAddressReserve", api.mem_address_reserve));
  KVB_RETURN_IF_ERROR(library.Resolve("cuMemAddressFree", api.mem_address_free));
  KVB_RETURN_IF_ERROR(library.Resolve("cuMemMap", api.mem_map));
  KVB_RETURN_IF_ERROR(library.Resolve("cuMemUnmap", api.mem_unmap));
  KVB_RETURN_IF_ERROR(library.Resolve("cuMemSetAccess", api.mem_set_access));
  KVB_RETURN_IF_ERROR(library.Resolve("cuMemsetD32_v2", api.memset_d32));
  KVB_RETURN_IF_ERROR(library.Resolve("cuMemcpyDtoH_v2", api.memcpy_dtoh));
  return api;
}

}  // namespace internal
}  // namespace kvbroker
