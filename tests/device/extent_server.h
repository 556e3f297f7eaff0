#ifndef KVBROKER_TESTS_DEVICE_EXTENT_SERVER_H_
#define KVBROKER_TESTS_DEVICE_EXTENT_SERVER_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/bytes.h"
#include "common/base/unique_fd.h"

namespace kvbroker {

// Another process that does with a GPU what the broker does: it makes, exports and releases extents, and has no
// context. It is this program, started anew: the driver does not survive a fork. It ends with this object, or with the
// process of this object. Thread-compatible.
//
// REQUIRES: main() calls ServeExtents where it is started as one.
class ExtentServer {
 public:
  // `uuid`: the GPU's.
  static absl::StatusOr<std::unique_ptr<ExtentServer>> Start(const std::string& uuid);

  ~ExtentServer() { Kill(); }
  ExtentServer(const ExtentServer&) = delete;
  ExtentServer& operator=(const ExtentServer&) = delete;

  // Makes an extent there and brings its descriptor here. The errors are those of Device::Create and Device::Export.
  absl::StatusOr<UniqueFd> Create(Bytes bytes);

  // Releases all that were made.
  absl::Status ReleaseAll();

  // Whether the process has a context on the first GPU.
  absl::StatusOr<bool> HasContext();

  // Ends the process as kill -9 does, and waits until it has ended.
  void Kill();

 private:
  struct Reply {
    std::string text;
    UniqueFd fd;
  };

  ExtentServer(pid_t pid, UniqueFd socket) : pid_(pid), socket_(std::move(socket)) {}

  absl::StatusOr<Reply> Ask(absl::string_view request);

  pid_t pid_;  // 0: killed
  UniqueFd socket_;
};

inline constexpr char kExtentServerFlag[] = "--extent-server";

// The server's side: `uuid` is the argument after kExtentServerFlag. Returns the exit status.
int ServeExtents(const std::string& uuid);

}  // namespace kvbroker

#endif  // KVBROKER_TESTS_DEVICE_EXTENT_SERVER_H_
