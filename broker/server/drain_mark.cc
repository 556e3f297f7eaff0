#include "broker/server/drain_mark.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/file.h"
#include "common/base/unique_fd.h"

namespace kvbroker {

bool DrainMark::stands() const { return access(path_.c_str(), F_OK) == 0; }

absl::Status DrainMark::Set() const {
  const UniqueFd file(open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  return file.valid() ? absl::OkStatus() : FileError("writing", path_);
}

absl::Status DrainMark::Clear() const {
  return unlink(path_.c_str()) == 0 || errno == ENOENT ? absl::OkStatus() : FileError("removing", path_);
}

}  // namespace kvbroker
