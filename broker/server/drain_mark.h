#ifndef KVBROKER_BROKER_SERVER_DRAIN_MARK_H_
#define KVBROKER_BROKER_SERVER_DRAIN_MARK_H_

#include <string>
#include <utility>

#include "absl/status/status.h"

namespace kvbroker {

// Whether an operator drains the broker: a file in the runtime directory, so that it stays so over a restart of the broker and
// ends with one of the machine (where that directory is in memory, as /run is). Thread-compatible.
class DrainMark {
 public:
  explicit DrainMark(std::string path) : path_(std::move(path)) {}

  bool stands() const;
  // UNAVAILABLE names the path and changes nothing.
  absl::Status Set() const;
  absl::Status Clear() const;

 private:
  std::string path_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_DRAIN_MARK_H_
