#ifndef KVBROKER_COMMON_BASE_CHECK_H_
#define KVBROKER_COMMON_BASE_CHECK_H_

namespace kvbroker::internal {
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, const char* message);
}  // namespace kvbroker::internal

// Aborts with one line where `condition` does not hold. For broken invariants of our own code
// alone: nothing that a client, a file or an operator sends may reach one.
#define KVB_CHECK(condition, message) \
  ((condition) ? (void)0 : ::kvbroker::internal::CheckFailed(__FILE__, __LINE__, #condition, message))

#endif  // KVBROKER_COMMON_BASE_CHECK_H_
