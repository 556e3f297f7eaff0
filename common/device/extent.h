#ifndef KVBROKER_COMMON_DEVICE_EXTENT_H_
#define KVBROKER_COMMON_DEVICE_EXTENT_H_

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/bytes.h"
#include "common/base/unique_fd.h"
#include "common/device/device.h"

namespace kvbroker {

// Owns one physical allocation in this process and releases it at its end. Moved-from is empty.
// Thread-compatible.
class Extent {
 public:
  // As Device::Create and Device::Import. `device` is not owned and must outlive the extent.
  static absl::StatusOr<Extent> Create(Device& device, Bytes bytes);
  static absl::StatusOr<Extent> Import(Device& device, int fd, Bytes bytes);

  Extent() = default;
  Extent(Extent&& other) noexcept { *this = std::move(other); }
  Extent& operator=(Extent&& other) noexcept;
  ~Extent() { Reset(); }

  bool valid() const { return device_ != nullptr; }
  Bytes bytes() const { return bytes_; }
  RawExtent raw() const { return raw_; }

  // REQUIRES: valid().
  absl::StatusOr<UniqueFd> Export() const { return device_->Export(raw_); }

  // Releases now. A failure is logged: nothing else could be done about it.
  void Reset();

 private:
  Extent(Device& device, RawExtent raw, Bytes bytes) : device_(&device), raw_(raw), bytes_(bytes) {}

  Device* device_ = nullptr;  // Not owned; null when empty.
  RawExtent raw_{};
  Bytes bytes_;
};

// Owns a range of reserved addresses and gives it back at its end. REQUIRES: nothing is mapped in
// it by then.
class Reservation {
 public:
  static absl::StatusOr<Reservation> Create(Device& device, Bytes bytes);

  Reservation() = default;
  Reservation(Reservation&& other) noexcept { *this = std::move(other); }
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation() { Reset(); }

  uint64_t address() const { return address_; }
  Bytes bytes() const { return bytes_; }

  // Gives the range back now. A failure is logged.
  void Reset();

 private:
  Reservation(Device& device, uint64_t address, Bytes bytes) : device_(&device), address_(address), bytes_(bytes) {}

  Device* device_ = nullptr;  // Not owned; null when empty.
  uint64_t address_ = 0;
  Bytes bytes_;
};

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_EXTENT_H_
