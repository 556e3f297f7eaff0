#ifndef KVBROKER_CLIENT_CAPI_DLPACK_H_
#define KVBROKER_CLIENT_CAPI_DLPACK_H_

#include <atomic>
#include <cstdint>
#include <memory>

// The tensor that libraries hand each other, as https://dmlc.github.io/dlpack has it up to version 0.8 and every consumer
// still takes. The names and the layout are DLPack's.
extern "C" {
typedef struct DLDevice {
  int32_t device_type;
  int32_t device_id;
} DLDevice;

typedef struct DLDataType {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
} DLDataType;

typedef struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;
  uint64_t byte_offset;
} DLTensor;

typedef struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(struct DLManagedTensor* self);
} DLManagedTensor;
}

namespace kvbroker {

inline constexpr int32_t kDlCpu = 1;
inline constexpr int32_t kDlCuda = 2;

// How many tensors of an arena there are. Outlives the arena where a tensor does.
using TensorCount = std::shared_ptr<std::atomic<uint64_t>>;

// `bytes` bytes at `data` as a tensor, counted until its deleter is called.
DLManagedTensor* MakeTensor(void* data, uint64_t bytes, DLDevice device, TensorCount count);

}  // namespace kvbroker

#endif  // KVBROKER_CLIENT_CAPI_DLPACK_H_
