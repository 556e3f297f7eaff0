#include "common/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace kvbroker::internal {

void CheckFailed(const char* file, int line, const char* condition, const char* message) {
  std::fprintf(stderr, "kvbroker: broken invariant at %s:%d: %s (%s)\n", file, line, message, condition);
  std::abort();
}

}  // namespace kvbroker::internal
