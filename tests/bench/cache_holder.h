#ifndef KVBROKER_TESTS_BENCH_CACHE_HOLDER_H_
#define KVBROKER_TESTS_BENCH_CACHE_HOLDER_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/base/bytes.h"

namespace kvbroker {

// A neighbour in a process of its own that is idle and holds nothing but cache: it takes all it is given up to `slots`,
// reports it as cached and unused for some 20 s, and gives back what it is asked for, `answers_after` it was asked.
struct CacheHolder {
  std::string socket;  // the broker's
  std::string tenant;
  Bytes slot;
  uint64_t slots = 0;
  absl::Duration answers_after = absl::ZeroDuration();
};

// The same program started anew as that neighbour; ends with this object, or with the process of this object.
// REQUIRES: main() calls RunCacheHolder where it is started as one.
class CacheHolderProcess {
 public:
  explicit CacheHolderProcess(const CacheHolder& holder);
  ~CacheHolderProcess();
  CacheHolderProcess(const CacheHolderProcess&) = delete;
  CacheHolderProcess& operator=(const CacheHolderProcess&) = delete;

 private:
  pid_t pid_;
};

inline constexpr char kCacheHolderFlag[] = "--cache-holder";

// The neighbour's side: `arguments` are those after kCacheHolderFlag. Returns the exit status.
int RunCacheHolder(int count, char** arguments);

}  // namespace kvbroker

#endif  // KVBROKER_TESTS_BENCH_CACHE_HOLDER_H_
