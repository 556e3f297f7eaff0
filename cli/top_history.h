#ifndef KVBROKER_CLI_TOP_HISTORY_H_
#define KVBROKER_CLI_TOP_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// What was granted to each tenant in the last minute, and how fast things go. Thread-compatible.
class TopHistory {
 public:
  static constexpr size_t kColumns = 12;
  static constexpr uint64_t kColumnMs = 5'000;

  // A sample that is not newer than the one before begins anew: another broker sent it.
  void Add(const admin::v1::Snapshot& sample);

  // The last value of each 5 s, oldest first, kColumns at the most; of a tenant that was not there then: 0.
  std::vector<uint64_t> Granted(absl::string_view tenant) const;

  // Over the last 2 s, or as far as there are samples: by how many bytes a second what is granted grows, or shrinks; how many
  // grants a second.
  double BytesPerSecond(absl::string_view tenant) const;
  double GrantsPerSecond() const;

 private:
  struct Sample {
    uint64_t time_ms = 0;
    uint64_t grants = 0;
    std::map<std::string, uint64_t, std::less<>> granted;
  };

  // The one that rates are counted from; none: there are fewer than two.
  const Sample* Before() const;

  // Oldest first.
  std::deque<Sample> samples_;  // of the last 2 s, and the one before
  std::deque<Sample> columns_;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_TOP_HISTORY_H_
