#include "common/device/fault_device.h"

#include <utility>

#include "absl/time/clock.h"
#include "common/base/status.h"

namespace kvbroker {

void FaultDevice::FailNext(DeviceCall call, absl::Status error, int after) {
  absl::MutexLock lock(&mu_);
  Plan& plan = plans_[static_cast<size_t>(call)];
  plan.error = std::move(error);
  plan.fails_at = plan.count + after;
}

void FaultDevice::Delay(DeviceCall call, absl::Duration delay) {
  absl::MutexLock lock(&mu_);
  plans_[static_cast<size_t>(call)].delay = delay;
}

void FaultDevice::UseFromOutside(Bytes bytes) {
  absl::MutexLock lock(&mu_);
  used_outside_ = bytes;
}

int64_t FaultDevice::Count(DeviceCall call) const {
  absl::MutexLock lock(&mu_);
  return plans_[static_cast<size_t>(call)].count;
}

absl::Status FaultDevice::Enter(DeviceCall call) {
  absl::Duration delay;
  absl::Status error;
  {
    absl::MutexLock lock(&mu_);
    Plan& plan = plans_[static_cast<size_t>(call)];
    delay = plan.delay;
    if (plan.count++ == plan.fails_at) error = plan.error;
  }
  if (delay > absl::ZeroDuration()) absl::SleepFor(delay);
  return error;
}

absl::StatusOr<DeviceMemory> FaultDevice::Memory() {
  KVB_RETURN_IF_ERROR(Enter(DeviceCall::kMemory));
  KVB_ASSIGN_OR_RETURN(DeviceMemory memory, real_.Memory());
  absl::MutexLock lock(&mu_);
  memory.free = MinusOrZero(memory.free, used_outside_);
  return memory;
}

absl::StatusOr<RawExtent> FaultDevice::Create(Bytes bytes) {
  KVB_RETURN_IF_ERROR(Enter(DeviceCall::kCreate));
  return real_.Create(bytes);
}

absl::StatusOr<UniqueFd> FaultDevice::Export(RawExtent extent) {
  KVB_RETURN_IF_ERROR(Enter(DeviceCall::kExport));
  return real_.Export(extent);
}

absl::StatusOr<RawExtent> FaultDevice::Import(int fd, Bytes bytes) {
  KVB_RETURN_IF_ERROR(Enter(DeviceCall::kImport));
  return real_.Import(fd, bytes);
}

absl::StatusOr<uint64_t> FaultDevice::Reserve(Bytes bytes) {
  KVB_RETURN_IF_ERROR(Enter(DeviceCall::kReserve));
  return real_.Reserve(bytes);
}

absl::Status FaultDevice::FreeReservation(uint64_t address, Bytes bytes) {
  return real_.FreeReservation(address, bytes);
}

absl::Status FaultDevice::Map(uint64_t address, Bytes bytes, RawExtent extent) {
  KVB_RETURN_IF_ERROR(Enter(DeviceCall::kMap));
  return real_.Map(address, bytes, extent);
}

absl::Status FaultDevice::Unmap(uint64_t address, Bytes bytes) {
  KVB_RETURN_IF_ERROR(Enter(DeviceCall::kUnmap));
  return real_.Unmap(address, bytes);
}

absl::Status FaultDevice::Release(RawExtent extent) {
  KVB_RETURN_IF_ERROR(Enter(DeviceCall::kRelease));
  return real_.Release(extent);
}

}  // namespace kvbroker
