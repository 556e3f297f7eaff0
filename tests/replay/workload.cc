#include "tests/replay/workload.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "tests/replay/trace.h"

namespace kvbroker::replay {
namespace {

// Whose a trace's requests are: the tenant it names, or those that no trace names.
std::vector<size_t> TakersOf(const TraceSource& source, const Options& options) {
  std::vector<size_t> takers;
  for (size_t i = 0; i < options.tenants.size(); ++i) {
    const std::string& tenant = options.tenants[i];
    const bool named = std::any_of(options.traces.begin(), options.traces.end(),
                                   [&](const TraceSource& other) { return other.tenant == tenant; });
    if (source.tenant.empty() ? !named : source.tenant == tenant) takers.push_back(i);
  }
  return takers;
}

absl::StatusOr<std::vector<std::vector<Request>>> ReadTraces(const Options& options) {
  std::vector<std::vector<Request>> workload(options.tenants.size());
  for (const TraceSource& source : options.traces) {
    KVB_ASSIGN_OR_RETURN(const Trace trace, ReadTrace(source.path, source.model));
    const std::vector<size_t> takers = TakersOf(source, options);
    if (takers.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("--trace ", source.path, ": every tenant has a trace of its own"));
    }
    for (size_t i = 0; i < trace.requests.size(); ++i) {
      workload[takers[i % takers.size()]].push_back(trace.requests[i]);
    }
  }
  for (size_t i = 0; i < workload.size(); ++i) {
    if (workload[i].empty()) {
      return absl::InvalidArgumentError(absl::StrCat("tenant ", options.tenants[i], " is left without a trace"));
    }
    for (Request& request : workload[i]) request.arrival /= options.time_scale;
    std::stable_sort(workload[i].begin(), workload[i].end(),
                     [](const Request& a, const Request& b) { return a.arrival < b.arrival; });
  }
  return workload;
}

}  // namespace

absl::StatusOr<std::vector<std::vector<Request>>> MakeWorkload(const Options& options) {
  std::vector<std::vector<Request>> workload;
  if (options.traces.empty()) {
    for (size_t i = 0; i < options.tenants.size(); ++i) {
      workload.push_back(GenerateLoad(options.load, i, options.tenants.size()));
    }
  } else {
    KVB_ASSIGN_OR_RETURN(workload, ReadTraces(options));
  }
  for (std::vector<Request>& requests : workload) {
    if (options.duration) {
      std::erase_if(requests, [&](const Request& request) { return request.arrival >= *options.duration; });
    }
    if (options.max_requests > 0 && requests.size() > options.max_requests) requests.resize(options.max_requests);
  }
  return workload;
}

}  // namespace kvbroker::replay
