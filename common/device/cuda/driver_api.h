#ifndef KVBROKER_COMMON_DEVICE_CUDA_DRIVER_API_H_
#define KVBROKER_COMMON_DEVICE_CUDA_DRIVER_API_H_

#include <cuda.h>

#include <string>

#include "absl/status/statusor.h"

namespace kvbroker {

// The entry points of the CUDA driver that the project calls, found in libcuda at run time. Each field is named after
// its call and has that call's type in cuda.h; the symbol behind it, version included, stands in driver_api.cc.
//
// A plain table: a test fills one with functions of its own. The driver's calls are thread-safe.
struct DriverApi {
  // The driver of this machine; loads it once. NOT_FOUND: there is none. UNAVAILABLE: it is too old and lacks a call.
  // Both name the library and the reason. Initialises nothing.
  static absl::StatusOr<const DriverApi*> Load();

  decltype(&::cuInit) init = nullptr;
  decltype(&::cuDeviceGet) device_get = nullptr;
  decltype(&::cuDeviceGetCount) device_get_count = nullptr;
  decltype(&::cuDeviceGetName) device_get_name = nullptr;
  decltype(&::cuDeviceGetUuid_v2) device_get_uuid = nullptr;
  decltype(&::cuDeviceGetAttribute) device_get_attribute = nullptr;

  decltype(&::cuDevicePrimaryCtxRetain) primary_ctx_retain = nullptr;
  decltype(&::cuDevicePrimaryCtxRelease_v2) primary_ctx_release = nullptr;
  decltype(&::cuDevicePrimaryCtxGetState) primary_ctx_get_state = nullptr;
  decltype(&::cuCtxGetCurrent) ctx_get_current = nullptr;
  decltype(&::cuCtxSetCurrent) ctx_set_current = nullptr;
  decltype(&::cuCtxGetDevice) ctx_get_device = nullptr;
  decltype(&::cuCtxSynchronize) ctx_synchronize = nullptr;

  decltype(&::cuMemGetAllocationGranularity) mem_get_allocation_granularity = nullptr;
  decltype(&::cuMemCreate) mem_create = nullptr;
  decltype(&::cuMemRelease) mem_release = nullptr;
  decltype(&::cuMemExportToShareableHandle) mem_export = nullptr;
  decltype(&::cuMemImportFromShareableHandle) mem_import = nullptr;
  decltype(&::cuMemGetAllocationPropertiesFromHandle) mem_get_properties = nullptr;
  decltype(&::cuMemAddressReserve) mem_address_reserve = nullptr;
  decltype(&::cuMemAddressFree) mem_address_free = nullptr;
  decltype(&::cuMemMap) mem_map = nullptr;
  decltype(&::cuMemUnmap) mem_unmap = nullptr;
  decltype(&::cuMemSetAccess) mem_set_access = nullptr;

  // For looking into mapped extents: the self-test and the tests on a GPU.
  decltype(&::cuMemsetD32_v2) memset_d32 = nullptr;
  decltype(&::cuMemcpyDtoH_v2) memcpy_dtoh = nullptr;
};

namespace internal {
// As Load, from the library of that name or path.
absl::StatusOr<DriverApi> LoadDriverApi(const std::string& library);
}  // namespace internal

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_CUDA_DRIVER_API_H_
