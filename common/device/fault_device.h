#ifndef KVBROKER_COMMON_DEVICE_FAULT_DEVICE_H_
#define KVBROKER_COMMON_DEVICE_FAULT_DEVICE_H_

#include <array>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/device/device.h"

namespace kvbroker {

// The calls of a Device that can be made to fail or to take long.
enum class DeviceCall { kMemory, kCreate, kExport, kImport, kReserve, kMap, kUnmap, kRelease };
inline constexpr int kDeviceCalls = 8;

// A Device around a real one that fails and delays calls on request, for tests. Thread-safe.
//
//   FaultDevice device(*host);
//   device.FailNext(DeviceCall::kCreate, absl::ResourceExhaustedError("planted"), /*after=*/2);
class FaultDevice : public Device {
 public:
  // `real` is not owned and must outlive this.
  explicit FaultDevice(Device& real) : real_(real) {}

  // The call after the next `after` ones of this kind fails with `error`, once, and does nothing.
  void FailNext(DeviceCall call, absl::Status error, int after = 0) ABSL_LOCKS_EXCLUDED(mu_);
  // Each call of this kind takes so much longer from now on.
  void Delay(DeviceCall call, absl::Duration delay) ABSL_LOCKS_EXCLUDED(mu_);
  // So much of what the device has free is shown as used by a program outside.
  void UseFromOutside(Bytes bytes) ABSL_LOCKS_EXCLUDED(mu_);
  // How often the call was made, failed ones included.
  int64_t Count(DeviceCall call) const ABSL_LOCKS_EXCLUDED(mu_);

  const DeviceInfo& info() const override { return real_.info(); }
  absl::StatusOr<DeviceMemory> Memory() override;
  absl::StatusOr<RawExtent> Create(Bytes bytes) override;
  absl::StatusOr<UniqueFd> Export(RawExtent extent) override;
  absl::StatusOr<RawExtent> Import(int fd, Bytes bytes) override;
  absl::StatusOr<uint64_t> Reserve(Bytes bytes) override;
  absl::Status FreeReservation(uint64_t address, Bytes bytes) override;
  absl::Status Map(uint64_t address, Bytes bytes, RawExtent extent) override;
  absl::Status Unmap(uint64_t address, Bytes bytes) override;
  absl::Status BindThread() override { return real_.BindThread(); }
  absl::Status Release(RawExtent extent) override;

 private:
  struct Plan {
    int64_t count = 0;
    absl::Duration delay;
    absl::Status error;
    int64_t fails_at = -1;  // the count at which `error` is returned
  };

  // Counts the call, waits its delay and returns its planted error.
  absl::Status Enter(DeviceCall call) ABSL_LOCKS_EXCLUDED(mu_);

  Device& real_;  // Not owned; must outlive this.
  mutable absl::Mutex mu_;
  std::array<Plan, kDeviceCalls> plans_ ABSL_GUARDED_BY(mu_);
  Bytes used_outside_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_FAULT_DEVICE_H_
