#include "broker/server/runtime_dir.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status.h"
#include "common/ipc/packet.h"

namespace kvbroker {
namespace {

absl::Status MakeFolder(const std::string& path, mode_t mode) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return ErrnoToStatus(error.value(), absl::StrCat("making the folder ", path));
  if (chmod(path.c_str(), mode) != 0) return ErrnoToStatus(errno, absl::StrCat("chmod ", path));
  return absl::OkStatus();
}

// Takes the lock and leaves the holder's pid in the file.
absl::StatusOr<UniqueFd> Lock(const std::string& path, const std::string& uuid) {
  UniqueFd lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock.valid()) return ErrnoToStatus(errno, absl::StrCat("open ", path));
  flock64 whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 0};
  if (fcntl(lock.get(), F_OFD_SETLK, &whole) != 0) {
    if (errno != EAGAIN && errno != EACCES) return ErrnoToStatus(errno, absl::StrCat("locking ", path));
    char holder[64] = {};
    [[maybe_unused]] const ssize_t n = pread(lock.get(), holder, sizeof(holder) - 1, 0);
    return absl::AlreadyExistsError(absl::StrCat("another kvbrokerd, process ",
                                                 absl::StripSuffix(absl::string_view(holder), "\n"), ", owns ", uuid,
                                                 " (it holds ", path, ")"));
  }
  const std::string holder = absl::StrCat(getpid(), "\n");
  if (ftruncate(lock.get(), 0) != 0 || pwrite(lock.get(), holder.data(), holder.size(), 0) < 0) {
    return ErrnoToStatus(errno, absl::StrCat("writing ", path));
  }
  return lock;
}

// Whether a process holds the lock.
bool IsLocked(const std::string& path) {
  const UniqueFd lock(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  flock64 whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 0};
  return lock.valid() && fcntl(lock.get(), F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

}  // namespace

RuntimeDir::RuntimeDir(std::string root, std::string path, UniqueFd lock)
    : root_(std::move(root)), path_(std::move(path)), lock_(std::move(lock)) {}

absl::StatusOr<RuntimeDir> RuntimeDir::Open(const std::string& root, const std::string& uuid) {
  const std::string path = absl::StrCat(root, "/", uuid);
  KVB_RETURN_IF_ERROR(CheckSocketPath(path + "/admin/admin.sock"));
  KVB_RETURN_IF_ERROR(MakeFolder(path, 0755));
  KVB_RETURN_IF_ERROR(MakeFolder(path + "/admin", 0750));
  KVB_ASSIGN_OR_RETURN(UniqueFd lock, Lock(path + "/lock", uuid));
  return RuntimeDir(root, path, std::move(lock));
}

absl::StatusOr<std::string> RuntimeDir::TenantSocket(const std::string& tenant) const {
  const std::string folder = absl::StrCat(path_, "/tenants/", tenant);
  const std::string socket = folder + "/engine.sock";
  KVB_RETURN_IF_ERROR(CheckSocketPath(socket));
  KVB_RETURN_IF_ERROR(MakeFolder(path_ + "/tenants", 0700));
  KVB_RETURN_IF_ERROR(MakeFolder(folder, 0755));
  return socket;
}

absl::StatusOr<uint64_t> RuntimeDir::NextEpoch() const {
  const std::string path = path_ + "/epoch";
  uint64_t epoch = 0;
  std::ifstream(path) >> epoch;  // a missing or damaged file counts as no broker before
  ++epoch;
  const std::string fresh = path + ".new";
  std::ofstream file(fresh);
  file << epoch << "\n";
  file.close();
  if (!file) return ErrnoToStatus(errno, absl::StrCat("writing ", fresh));
  if (rename(fresh.c_str(), path.c_str()) != 0) return ErrnoToStatus(errno, absl::StrCat("writing ", path));
  return epoch;
}

absl::Status RuntimeDir::Link(absl::string_view link) const {
  const std::string path = absl::StrCat(root_, "/", link);
  std::error_code error;
  const auto status = std::filesystem::symlink_status(path, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_symlink(status)) return absl::OkStatus();
  const std::string fresh = absl::StrCat(path, ".", getpid());
  unlink(fresh.c_str());
  if (symlink(std::filesystem::path(path_).filename().c_str(), fresh.c_str()) != 0 ||
      rename(fresh.c_str(), path.c_str()) != 0) {
    return ErrnoToStatus(errno, absl::StrCat("linking ", path));
  }
  return absl::OkStatus();
}

absl::Status RuntimeDir::LinkUnlessServed(absl::string_view link) const {
  if (IsLocked(absl::StrCat(root_, "/", link, "/lock"))) return absl::OkStatus();
  return Link(link);
}

absl::Status RuntimeDir::AdmitToAdmin(const std::string& group) const {
  const std::string socket = admin_socket();
  if (chmod(socket.c_str(), 0660) != 0) return ErrnoToStatus(errno, absl::StrCat("chmod ", socket));
  struct group entry;
  struct group* found = nullptr;
  std::vector<char> buffer(16 << 10);
  if (getgrnam_r(group.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return absl::OkStatus();
  }
  constexpr uid_t kAsItIs = static_cast<uid_t>(-1);
  for (const std::string& path : {socket, path_ + "/admin"}) {
    if (chown(path.c_str(), kAsItIs, found->gr_gid) != 0 && geteuid() == 0) {
      return ErrnoToStatus(errno, absl::StrCat("giving ", path, " to the group ", group));
    }
  }
  return absl::OkStatus();
}

void RuntimeDir::RemoveSockets(const std::set<std::string>& kept) const {
  const auto remove = [&kept](const std::string& path) {
    if (kept.count(path) == 0) unlink(path.c_str());
  };
  remove(engine_socket());
  remove(admin_socket());
  std::error_code none;  // nothing there to take away
  for (const auto& folder : std::filesystem::directory_iterator(path_ + "/tenants", none)) {
    remove(folder.path() / "engine.sock");
  }
}

}  // namespace kvbroker
