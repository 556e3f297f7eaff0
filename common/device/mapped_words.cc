#include "common/device/mapped_words.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/device/cuda/cuda_status.h"

namespace kvbroker {

absl::StatusOr<MappedWords> MappedWords::Of(Device& device) {
  KVB_RETURN_IF_ERROR(device.BindThread());
  if (device.info().kind == "host") return MappedWords(nullptr);
  KVB_ASSIGN_OR_RETURN(const DriverApi* const driver, DriverApi::Load());
  return MappedWords(driver);
}

absl::Status MappedWords::Fill(uint64_t address, Bytes bytes, uint32_t word) {
  const size_t count = bytes.in_bytes() / sizeof(word);
  if (driver_ == nullptr) {
    std::fill_n(reinterpret_cast<uint32_t*>(address), count, word);
    return absl::OkStatus();
  }
  KVB_RETURN_IF_ERROR(CudaStatus(driver_->memset_d32(address, word, count), "cuMemsetD32"));
  return CudaStatus(driver_->ctx_synchronize(), "cuCtxSynchronize");
}

absl::StatusOr<size_t> MappedWords::CountOthers(uint64_t address, Bytes bytes, uint32_t word) {
  const size_t count = bytes.in_bytes() / sizeof(word);
  const auto* words = reinterpret_cast<const uint32_t*>(address);
  if (driver_ != nullptr) {
    copy_.resize(count);
    KVB_RETURN_IF_ERROR(CudaStatus(driver_->memcpy_dtoh(copy_.data(), address, bytes.in_bytes()), "cuMemcpyDtoH"));
    words = copy_.data();
  }
  return count - static_cast<size_t>(std::count(words, words + count, word));
}

}  // namespace kvbroker
