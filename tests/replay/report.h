#ifndef KVBROKER_TESTS_REPLAY_REPORT_H_
#define KVBROKER_TESTS_REPLAY_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "tests/replay/messages.h"
#include "tests/replay/stats.h"

namespace kvbroker::replay {

// What the broker said at one moment.
struct BrokerSample {
  double seconds = 0;  // since the replay's start
  Bytes capacity;
  Bytes device_free;
  uint64_t refusals = 0;    // since the broker's start
  std::vector<Bytes> held;  // by each tenant of the replay
  Bytes held_by_others;
  // Of what is held, bytes that the device shows as free already: they were given back, may have been lent anew, and
  // stay on the old account until its client has said so.
  Bytes counted_twice;

  Bytes sum() const;  // of all tenants, each byte once
};

// One tenant of a replay that has ended.
struct TenantReport {
  std::string name;
  std::optional<Bytes> limit;
  Bytes demand;  // what it would have held at most of memory without end
  Result result;
};

// All that a replay brought to light, and what follows from it.
struct Report {
  std::string title;  // what was run, in one line
  std::string device_uuid;
  std::string device_name;
  std::string device_kind;
  Bytes reserve;  // addresses of each tenant
  Bytes slot;
  Bytes block;
  std::vector<TenantReport> tenants;
  std::vector<BrokerSample> samples;

  // By the broker's samples.
  Bytes peak(size_t tenant) const;
  Bytes sum_of_peaks() const;
  Bytes largest_sum() const;
  Bytes capacity() const;  // the largest
  size_t samples_over_capacity() const;

  Summary waits() const;  // of all tenants
  // Jain's index of what share the tenants had of what they needed while they were busy: 1 where all had the same.
  double fairness() const;
  double seconds() const;

  // What must not be, a line each; empty where all was well.
  std::vector<std::string> Problems() const;
};

// For people: a line for each tenant, and what they come to together.
std::string ToTable(const Report& report);

// For programs: everything, samples too. Sizes in bytes, times in seconds where the name does not say otherwise.
std::string ToJson(const Report& report);

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_REPORT_H_
