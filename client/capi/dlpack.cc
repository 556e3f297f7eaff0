#include "client/capi/dlpack.h"

#include <utility>

namespace kvbroker {
namespace {

constexpr uint8_t kUnsigned = 1;

struct Tensor {
  DLManagedTensor managed = {};
  int64_t length = 0;
  int64_t stride = 1;
  TensorCount count;
};

void Delete(DLManagedTensor* managed) {
  auto* tensor = static_cast<Tensor*>(managed->manager_ctx);
  --*tensor->count;
  delete tensor;
}

}  // namespace

DLManagedTensor* MakeTensor(void* data, uint64_t bytes, DLDevice device, TensorCount count) {
  auto tensor = std::make_unique<Tensor>();
  tensor->length = static_cast<int64_t>(bytes);
  tensor->count = std::move(count);
  tensor->managed = {.dl_tensor = {.data = data,
                                   .device = device,
                                   .ndim = 1,
                                   .dtype = {.code = kUnsigned, .bits = 8, .lanes = 1},
                                   .shape = &tensor->length,
                                   .strides = &tensor->stride,
                                   .byte_offset = 0},
                     .manager_ctx = tensor.get(),
                     .deleter = Delete};
  ++*tensor->count;
  return &tensor.release()->managed;
}

}  // namespace kvbroker
