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

// What was granted to each tenant in the newest samples, and how fast things go. Thread-compatible.
class TopHistory {
 public:
  static constexpr size_t kSamples = 240;  // are kept at the most

  // A sample that is not newer than the one before begins anew: another broker sent it.
  void Add(const admin::v1::Snapshot& sample);

  // The newest values, oldest first, `count` at the most; of a tenant that was not there then: 0.
  std::vector<uint64_t> Granted(absl::string_view tenant, size_t count) const;

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

  std::deque<Sample> samples_;  // oldest first
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_TOP_HISTORY_H_
