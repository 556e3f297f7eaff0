#ifndef KVBROKER_COMMON_DEVICE_HOST_HOST_DEVICE_H_
#define KVBROKER_COMMON_DEVICE_HOST_HOST_DEVICE_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/device/device.h"
#include "common/device/host/left_extents.h"

namespace kvbroker {

// A device of host memory: an extent is a sealed memfd, a mapping is mmap. Zeroing, sharing between
// processes and the life of memory past its creator are the kernel's, as they are the driver's on a
// GPU.
//
// What is free is physical truth, too: an extent counts until its last descriptor and its last
// mapping in any process have gone. An inotify watch on each memfd reports that end
// (IN_DELETE_SELF), whoever the last holder was. Where more extents end unseen than the kernel
// keeps events of (fs.inotify.max_queued_events), the kernel's list of the watches that are left
// tells which.
//
// What an owner that is no more left with its clients is found by the memfds' name, in the lists of what processes have
// mapped and open; see LeftExtents.
//
// Memory is taken from the system when it is first touched, as the kernel does for any memfd.
// Thread-safe.
class HostDevice : public Device {
 public:
  struct Options {
    std::string name = "host";   // the UUID is HOST-<name>
    Bytes capacity = GiB(2);     // what all extents together may take
    Bytes granularity = MiB(2);  // as on a GPU; a multiple of the page size
    // Of whoever creates extents: one that is opened anew with the same text counts what is left of the one before.
    // Empty: nothing is looked for.
    std::string owner;
  };

  // INVALID_ARGUMENT names an option that cannot be. RESOURCE_EXHAUSTED: no inotify instance is
  // left.
  static absl::StatusOr<std::unique_ptr<HostDevice>> Open(const Options& options);

  const DeviceInfo& info() const override { return info_; }
  absl::StatusOr<DeviceMemory> Memory() override ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<RawExtent> Create(Bytes bytes) override ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<UniqueFd> Export(RawExtent extent) override;
  absl::StatusOr<RawExtent> Import(int fd, Bytes bytes) override;
  absl::StatusOr<uint64_t> Reserve(Bytes bytes) override;
  absl::Status FreeReservation(uint64_t address, Bytes bytes) override;
  absl::Status Map(uint64_t address, Bytes bytes, RawExtent extent) override;
  absl::Status Unmap(uint64_t address, Bytes bytes) override;
  absl::Status BindThread() override { return absl::OkStatus(); }
  absl::Status Release(RawExtent extent) override;

  // Readable when extents have ended since the last call of Memory(): the device tells its owner to
  // look.
  int change_fd() const { return inotify_.get(); }

 private:
  HostDevice(const Options& options, UniqueFd inotify);

  absl::Status CheckMultiple(Bytes bytes) const;
  // Takes the extents that have ended off `live_`.
  void CollectEnded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The same by the watches that are left, for events that were lost.
  void CollectUnwatched() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void LookAtLeft() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Bytes FreeNow() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Constant after construction.
  const Bytes capacity_;
  const DeviceInfo info_;
  const UniqueFd inotify_;
  const std::string memfd_name_;

  absl::Mutex mu_;
  std::optional<LeftExtents> left_ ABSL_GUARDED_BY(mu_);  // none: nothing is, any more
  Bytes left_bytes_ ABSL_GUARDED_BY(mu_);                 // as of the newest look; it only becomes less
  absl::flat_hash_map<int, Bytes> live_by_watch_ ABSL_GUARDED_BY(mu_);
  Bytes live_ ABSL_GUARDED_BY(mu_);                // the sum of live_by_watch_
  bool events_lost_ ABSL_GUARDED_BY(mu_) = false;  // and not yet made up for
};

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_HOST_HOST_DEVICE_H_
