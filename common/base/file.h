#ifndef KVBROKER_COMMON_BASE_FILE_H_
#define KVBROKER_COMMON_BASE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kvbroker {

// "writing /path: No space left on device", of errno as it is. UNAVAILABLE whatever errno is: trying again may help.
absl::Status FileError(absl::string_view what, const std::string& path);

// The bytes of a file, up to about `most` of them; none: there is no such file. Else a FileError.
absl::StatusOr<std::optional<std::string>> ReadFile(const std::string& path, size_t most = SIZE_MAX);

// Writes all of it. A FileError: some may have been written.
absl::Status WriteAll(int fd, absl::string_view bytes, const std::string& path);

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_BASE_FILE_H_
