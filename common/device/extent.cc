#include "common/device/extent.h"

#include "common/base/log.h"
#include "common/base/status.h"

namespace kvbroker {

absl::StatusOr<Extent> Extent::Create(Device& device, Bytes bytes) {
  KVB_ASSIGN_OR_RETURN(const RawExtent raw, device.Create(bytes));
  return Extent(device, raw, bytes);
}

absl::StatusOr<Extent> Extent::Import(Device& device, int fd, Bytes bytes) {
  KVB_ASSIGN_OR_RETURN(const RawExtent raw, device.Import(fd, bytes));
  return Extent(device, raw, bytes);
}

Extent& Extent::operator=(Extent&& other) noexcept {
  if (this == &other) return *this;
  Reset();
  device_ = std::exchange(other.device_, nullptr);
  raw_ = other.raw_;
  bytes_ = std::exchange(other.bytes_, Bytes());
  return *this;
}

void Extent::Reset() {
  if (Device* device = std::exchange(device_, nullptr)) {
    if (const absl::Status released = device->Release(raw_); !released.ok()) {
      LogError("release of an extent of ", ToString(bytes_), " failed: ", released.message());
    }
  }
}

absl::StatusOr<Reservation> Reservation::Create(Device& device, Bytes bytes) {
  KVB_ASSIGN_OR_RETURN(const uint64_t address, device.Reserve(bytes));
  return Reservation(device, address, bytes);
}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this == &other) return *this;
  Reset();
  device_ = std::exchange(other.device_, nullptr);
  address_ = std::exchange(other.address_, 0);
  bytes_ = std::exchange(other.bytes_, Bytes());
  return *this;
}

void Reservation::Reset() {
  if (Device* device = std::exchange(device_, nullptr)) {
    if (const absl::Status freed = device->FreeReservation(address_, bytes_); !freed.ok()) {
      LogError("giving back ", ToString(bytes_), " of addresses failed: ", freed.message());
    }
  }
}

}  // namespace kvbroker
