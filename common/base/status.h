#ifndef KVBROKER_COMMON_BASE_STATUS_H_
#define KVBROKER_COMMON_BASE_STATUS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kvbroker {

// The status of a failed system call, with what was tried and errno's text: "connect /run/x: No
// such file or directory".
absl::Status ErrnoToStatus(int error_number, absl::string_view what);

}  // namespace kvbroker

// Returns from the function where `expression` is not OK.
#define KVB_RETURN_IF_ERROR(expression)                             \
  do {                                                              \
    if (absl::Status kvb_status = (expression); !kvb_status.ok()) { \
      return kvb_status;                                            \
    }                                                               \
  } while (false)

// Declares `lhs` with the value of a StatusOr, or returns its status.
#define KVB_ASSIGN_OR_RETURN(lhs, expression) \
  KVB_ASSIGN_OR_RETURN_IMPL(KVB_CONCAT(kvb_status_or_, __LINE__), lhs, expression)
#define KVB_ASSIGN_OR_RETURN_IMPL(temporary, lhs, expression) \
  auto temporary = (expression);                              \
  if (!temporary.ok()) return std::move(temporary).status();  \
  lhs = *std::move(temporary)
#define KVB_CONCAT(a, b) KVB_CONCAT_IMPL(a, b)
#define KVB_CONCAT_IMPL(a, b) a##b

#endif  // KVBROKER_COMMON_BASE_STATUS_H_
