#include "common/device/host/host_device.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <functional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/base/status.h"

namespace kvbroker {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

int FdOf(RawExtent extent) { return static_cast<int>(extent); }
RawExtent ExtentOf(int fd) { return static_cast<RawExtent>(fd); }
void* PointerTo(uint64_t address) { return reinterpret_cast<void*>(address); }

// How the names of an owner's memfds begin. They may be 249 bytes long, and an owner's text any length.
std::string MemfdPrefix(absl::string_view uuid, const std::string& owner) {
  return absl::StrCat("kvbroker-", uuid.substr(0, 64), "-", absl::Hex(std::hash<std::string>()(owner)), "-");
}

// The watches that an inotify instance has now, as the kernel lists them: "inotify wd:1f ino:…", the number in hex.
absl::StatusOr<absl::flat_hash_set<int>> WatchesOf(int inotify) {
  const std::string path = absl::StrCat("/proc/self/fdinfo/", inotify);
  std::ifstream file(path);
  absl::flat_hash_set<int> watches;
  std::string line;
  while (std::getline(file, line)) {
    absl::string_view rest = line;
    int watch;
    if (!absl::ConsumePrefix(&rest, "inotify wd:")) continue;
    if (!absl::SimpleHexAtoi(rest.substr(0, rest.find(' ')), &watch)) {
      return absl::InternalError(absl::StrCat(path, " has the line '", line, "'"));
    }
    watches.insert(watch);
  }
  if (!file.eof()) return absl::UnavailableError(absl::StrCat("cannot read ", path));
  return watches;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HostDevice>> HostDevice::Open(const Options& options) {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  if (options.granularity.IsZero() || options.granularity.in_bytes() % page != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("granularity ", ToString(options.granularity), " is no multiple of the page size, ", page));
  }
  if (options.name.empty() || options.name.find('/') != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("'", options.name, "' is no name of a host device"));
  }
  UniqueFd inotify(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify.valid()) return ErrnoToStatus(errno, "inotify_init1");
  return std::unique_ptr<HostDevice>(new HostDevice(options, std::move(inotify)));
}

HostDevice::HostDevice(const Options& options, UniqueFd inotify)
    : capacity_(options.capacity),
      info_{.kind = "host",
            .uuid = absl::StrCat("HOST-", options.name),
            .name = absl::StrCat("host memory, ", ToString(options.capacity)),
            .granularity = options.granularity},
      inotify_(std::move(inotify)),
      // Another name than that of any owner before; in a container all have the same pid.
      memfd_name_(absl::StrCat(MemfdPrefix(info_.uuid, options.owner), getpid(), "-", absl::GetCurrentTimeNanos())) {
  if (options.owner.empty()) return;
  left_.emplace(MemfdPrefix(info_.uuid, options.owner), memfd_name_);
  LookAtLeft();
}

void HostDevice::LookAtLeft() {
  if (!left_.has_value()) return;
  left_bytes_ = left_->Look();
  if (left_bytes_.IsZero()) left_.reset();
}

Bytes HostDevice::FreeNow() {
  CollectEnded();
  return MinusOrZero(capacity_, live_ + left_bytes_);
}

absl::StatusOr<DeviceMemory> HostDevice::Memory() {
  absl::MutexLock lock(&mu_);
  LookAtLeft();
  return DeviceMemory{.total = capacity_, .free = FreeNow()};
}

absl::StatusOr<RawExtent> HostDevice::Create(Bytes bytes) {
  KVB_RETURN_IF_ERROR(CheckMultiple(bytes));
  UniqueFd fd(memfd_create(memfd_name_.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return ErrnoToStatus(errno, "memfd_create");
  if (ftruncate(fd.get(), static_cast<off_t>(bytes.in_bytes())) != 0) return ErrnoToStatus(errno, "ftruncate");
  if (fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) return ErrnoToStatus(errno, "fcntl F_ADD_SEALS");

  absl::MutexLock lock(&mu_);
  if (bytes > FreeNow()) LookAtLeft();  // only where it matters: it reads lists of other processes
  if (const Bytes free = FreeNow(); bytes > free) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the host device has ", ToString(free), " free, not ", ToString(bytes)));
  }
  const int watch = inotify_add_watch(inotify_.get(), absl::StrCat("/proc/self/fd/", fd.get()).c_str(), IN_DELETE_SELF);
  if (watch < 0) return ErrnoToStatus(errno, "inotify_add_watch");
  live_by_watch_[watch] = bytes;
  live_ += bytes;
  return ExtentOf(fd.Take());
}

void HostDevice::CollectEnded() {
  alignas(inotify_event) char buffer[4096];
  for (;;) {
    const ssize_t n = read(inotify_.get(), buffer, sizeof(buffer));
    if (n <= 0) break;
    for (const char* at = buffer; at < buffer + n;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      at += sizeof(inotify_event) + event->len;
      if ((event->mask & IN_Q_OVERFLOW) != 0) events_lost_ = true;
      // IN_IGNORED follows each IN_DELETE_SELF, and may be the only one of the two that was not lost.
      if ((event->mask & (IN_DELETE_SELF | IN_IGNORED)) == 0) continue;
      if (const auto it = live_by_watch_.find(event->wd); it != live_by_watch_.end()) {
        live_ -= it->second;
        live_by_watch_.erase(it);
      }
    }
  }
  if (events_lost_) CollectUnwatched();
}

void HostDevice::CollectUnwatched() {
  const auto watches = WatchesOf(inotify_.get());
  if (!watches.ok()) return;  // what has ended stays charged until the list can be read
  events_lost_ = false;
  absl::erase_if(live_by_watch_, [&](const auto& extent) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (watches->contains(extent.first)) return false;
    live_ -= extent.second;
    return true;
  });
}

absl::StatusOr<UniqueFd> HostDevice::Export(RawExtent extent) {
  UniqueFd copy(fcntl(FdOf(extent), F_DUPFD_CLOEXEC, 0));
  if (!copy.valid()) return ErrnoToStatus(errno, "fcntl F_DUPFD_CLOEXEC");
  return copy;
}

absl::StatusOr<RawExtent> HostDevice::Import(int fd, Bytes bytes) {
  // Only a memfd has seals; without these ones its owner could cut it off under our feet.
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) {
    return absl::InvalidArgumentError(absl::StrCat("descriptor ", fd, " is no extent of the host device"));
  }
  struct stat st;
  if (fstat(fd, &st) != 0) return ErrnoToStatus(errno, "fstat");
  if (Bytes(static_cast<uint64_t>(st.st_size)) != bytes) {
    return absl::InvalidArgumentError(absl::StrCat("descriptor ", fd, " is an extent of ",
                                                   ToString(Bytes(static_cast<uint64_t>(st.st_size))), ", not of ",
                                                   ToString(bytes)));
  }
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return ErrnoToStatus(errno, "fcntl F_DUPFD_CLOEXEC");
  return ExtentOf(copy);
}

absl::StatusOr<uint64_t> HostDevice::Reserve(Bytes bytes) {
  KVB_RETURN_IF_ERROR(CheckMultiple(bytes));
  void* const address = mmap(nullptr, bytes.in_bytes(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) return ErrnoToStatus(errno, absl::StrCat("reserving ", ToString(bytes)));
  return reinterpret_cast<uint64_t>(address);
}

absl::Status HostDevice::FreeReservation(uint64_t address, Bytes bytes) {
  if (munmap(PointerTo(address), bytes.in_bytes()) != 0) return ErrnoToStatus(errno, "munmap");
  return absl::OkStatus();
}

absl::Status HostDevice::Map(uint64_t address, Bytes bytes, RawExtent extent) {
  void* const mapped =
      mmap(PointerTo(address), bytes.in_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, FdOf(extent), 0);
  if (mapped == MAP_FAILED) return ErrnoToStatus(errno, "mmap of an extent");
  return absl::OkStatus();
}

absl::Status HostDevice::Unmap(uint64_t address, Bytes bytes) {
  // One call puts the reservation back in the place of the extent: at no moment can anybody else
  // take the addresses.
  void* const mapped = mmap(PointerTo(address), bytes.in_bytes(), PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  if (mapped == MAP_FAILED) return ErrnoToStatus(errno, "mmap of a hole");
  return absl::OkStatus();
}

absl::Status HostDevice::Release(RawExtent extent) {
  if (close(FdOf(extent)) != 0) return ErrnoToStatus(errno, "close of an extent");
  return absl::OkStatus();
}

absl::Status HostDevice::CheckMultiple(Bytes bytes) const {
  if (bytes.IsZero() || bytes.in_bytes() % info_.granularity.in_bytes() != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToString(bytes), " is no multiple of the granularity, ", ToString(info_.granularity)));
  }
  return absl::OkStatus();
}

}  // namespace kvbroker
