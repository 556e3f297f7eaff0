#ifndef KVBROKER_COMMON_DEVICE_MAPPED_WORDS_H_
#define KVBROKER_COMMON_DEVICE_MAPPED_WORDS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/bytes.h"
#include "common/device/cuda/driver_api.h"
#include "common/device/device.h"

namespace kvbroker {

// Reads and writes what a device has mapped, by 32-bit words: through the driver where it is a GPU's. `device` is borrowed.
//
// To be used in the thread that made it. An error is the driver's: nothing is mapped there, or the GPU is lost.
class MappedWords {
 public:
  // Binds the calling thread to the device.
  static absl::StatusOr<MappedWords> Of(Device& device);

  // Sets all words of [address, address + bytes), and waits until they are.
  absl::Status Fill(uint64_t address, Bytes bytes, uint32_t word);

  // How many of them are not `word`.
  absl::StatusOr<size_t> CountOthers(uint64_t address, Bytes bytes, uint32_t word);

 private:
  explicit MappedWords(const DriverApi* driver) : driver_(driver) {}

  const DriverApi* driver_;  // null: the memory is the host's
  std::vector<uint32_t> copy_;
};

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_MAPPED_WORDS_H_
