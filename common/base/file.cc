#include "common/base/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/unique_fd.h"

namespace kvbroker {

absl::Status FileError(absl::string_view what, const std::string& path) {
  return absl::UnavailableError(ErrnoToStatus(errno, absl::StrCat(what, " ", path)).message());
}

absl::StatusOr<std::optional<std::string>> ReadFile(const std::string& path, size_t most) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) return std::nullopt;
  if (!file.valid()) return FileError("reading", path);
  std::string bytes;
  char buffer[1 << 14];
  while (bytes.size() < most) {
    const ssize_t n = read(file.get(), buffer, sizeof(buffer));
    if (n == 0) break;
    if (n > 0) bytes.append(buffer, static_cast<size_t>(n));
    if (n < 0 && errno != EINTR) return FileError("reading", path);
  }
  return bytes;
}

absl::Status WriteAll(int fd, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FileError("writing", path);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

}  // namespace kvbroker
