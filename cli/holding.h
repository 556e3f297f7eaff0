#ifndef KVBROKER_CLI_HOLDING_H_
#define KVBROKER_CLI_HOLDING_H_

#include <cstdint>
#include <numeric>

#include "proto/admin.pb.h"

namespace kvbroker::cli {

// What is kept for requests that may come back, however long nobody has used it; in bytes.
inline uint64_t CachedBytes(const admin::v1::Holding& holding) {
  return std::accumulate(holding.cached_by_age().begin(), holding.cached_by_age().end(), uint64_t{0});
}

// What is given back at no cost, in bytes.
inline uint64_t FreeBytes(const admin::v1::Holding& holding) { return holding.spare() + holding.free(); }

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_HOLDING_H_
