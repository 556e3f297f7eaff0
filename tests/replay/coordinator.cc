#include "tests/replay/coordinator.h"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "tests/replay/broker_watch.h"
#include "tests/replay/demand.h"
#include "tests/replay/tenant_process.h"
#include "tests/replay/workload.h"

namespace kvbroker::replay {
namespace {

constexpr absl::Duration kOpenWithin = absl::Seconds(60);
constexpr absl::Duration kStartIn = absl::Milliseconds(300);
constexpr absl::Duration kProgress = absl::Seconds(2);
// Samples go on so long after the last process's end: the picture shows that all came back.
constexpr absl::Duration kAftermath = absl::Milliseconds(300);

using Processes = std::vector<std::unique_ptr<TenantProcess>>;

absl::Status Named(const std::string& tenant, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("tenant ", tenant, ": ", status.message()));
}

std::string AdminSocket(const Options& options, const std::string& device_uuid) {
  if (!options.admin_socket.empty()) return options.admin_socket;
  std::string folder;
  if (!options.socket.empty()) {
    const size_t slash = options.socket.rfind('/');
    folder = slash == std::string::npos ? "." : options.socket.substr(0, slash);
  } else {
    const char* variable = std::getenv("KVBROKER_RUNTIME_DIR");
    const std::string root = !options.runtime_dir.empty()               ? options.runtime_dir
                             : variable != nullptr && *variable != '\0' ? variable
                                                                        : "/run/kvbroker";
    folder = absl::StrCat(root, "/", device_uuid);
  }
  return folder + "/admin/admin.sock";
}

std::string TitleOf(const Options& options, const BlockLayout& layout) {
  return absl::StrCat(options.tenants.size(), " tenants, ", options.model.empty() ? "" : options.model + ", ",
                      ToString(options.bytes_per_token), " a token, blocks of ", ToString(layout.block()),
                      ", slots of ", ToString(options.slot));
}

absl::StatusOr<Processes> StartAll(const Options& options, const std::vector<std::string>& arguments) {
  Processes processes;
  for (size_t i = 0; i < options.tenants.size(); ++i) {
    KVB_ASSIGN_OR_RETURN(std::unique_ptr<TenantProcess> process, TenantProcess::Start(arguments, i));
    processes.push_back(std::move(process));
  }
  return processes;
}

template <typename M>
absl::StatusOr<M> Expect(TenantProcess& process, const std::string& tenant, MonotonicTime until) {
  absl::StatusOr<Message> message = process.Receive(until);
  if (!message.ok()) return Named(tenant, message.status());
  if (auto* expected = std::get_if<M>(&*message)) return std::move(*expected);
  return Named(tenant, absl::InternalError("it said something out of turn"));
}

void PrintProgress(const Options& options, const BrokerWatch& watch, absl::Duration now) {
  const std::optional<BrokerSample> sample = watch.latest();
  if (!sample || options.quiet) return;
  std::string line = absl::StrFormat("%6.1f s ", absl::ToDoubleSeconds(now));
  for (size_t i = 0; i < options.tenants.size(); ++i) {
    absl::StrAppend(&line, "  ", options.tenants[i], " ", ToString(sample->held[i]));
  }
  absl::StrAppend(&line, "  | ", ToString(sample->sum()), " of ", ToString(sample->capacity));
  std::cerr << line << std::endl;
}

// Each tenant's result, as they come. The first to fail ends it, and so does the end of the broker: without one nobody
// grows, and the numbers would say nothing.
absl::StatusOr<std::vector<Result>> CollectResults(const Options& options, Processes& processes,
                                                   const BrokerWatch& watch, MonotonicTime start) {
  std::vector<Result> results(processes.size());
  std::vector<bool> done(processes.size());
  MonotonicTime next_progress = start + kProgress;
  while (std::find(done.begin(), done.end(), false) != done.end()) {
    std::vector<pollfd> ready;
    for (size_t i = 0; i < processes.size(); ++i) {
      ready.push_back({.fd = done[i] ? -1 : processes[i]->fd(), .events = POLLIN, .revents = 0});
    }
    poll(ready.data(), ready.size(), 100);
    for (size_t i = 0; i < processes.size(); ++i) {
      if (ready[i].revents == 0) continue;
      KVB_ASSIGN_OR_RETURN(results[i], Expect<Result>(*processes[i], options.tenants[i], absl::InfiniteDuration()));
      done[i] = true;
    }
    KVB_RETURN_IF_ERROR(watch.status());
    if (MonotonicNow() < next_progress) continue;
    next_progress += kProgress;
    PrintProgress(options, watch, MonotonicNow() - start);
  }
  return results;
}

}  // namespace

absl::StatusOr<Report> RunReplay(const Options& options, const std::vector<std::string>& arguments) {
  KVB_ASSIGN_OR_RETURN(const std::vector<std::vector<Request>> workload, MakeWorkload(options));
  KVB_ASSIGN_OR_RETURN(const BlockLayout layout, options.layout());
  Report report{
      .title = TitleOf(options, layout), .reserve = options.reserve, .slot = options.slot, .block = layout.block()};
  // Before any thread of gRPC is there.
  KVB_ASSIGN_OR_RETURN(Processes processes, StartAll(options, arguments));
  const MonotonicTime open_until = MonotonicNow() + kOpenWithin;
  for (size_t i = 0; i < processes.size(); ++i) {
    KVB_ASSIGN_OR_RETURN(const Ready ready, Expect<Ready>(*processes[i], options.tenants[i], open_until));
    report.device_uuid = ready.device_uuid;
    report.device_kind = ready.device_kind;
    report.tenants.push_back({.name = options.tenants[i],
                              .limit = ready.limit,
                              .demand = DemandOf(options.engine, workload[i], layout, options.step_time).peak});
  }
  const MonotonicTime start = MonotonicNow() + kStartIn;
  KVB_ASSIGN_OR_RETURN(const std::unique_ptr<BrokerWatch> watch,
                       BrokerWatch::Start({.admin_socket = AdminSocket(options, report.device_uuid),
                                           .tenants = options.tenants,
                                           .interval = options.sample_interval,
                                           .zero = start,
                                           .restarts = options.broker_restarts}));
  report.device_name = watch->device_name();
  absl::StrAppend(&report.title, ", on ", report.device_name);
  for (const auto& process : processes) KVB_RETURN_IF_ERROR(process->SayStart(start));
  KVB_ASSIGN_OR_RETURN(std::vector<Result> results, CollectResults(options, processes, *watch, start));
  for (size_t i = 0; i < processes.size(); ++i) {
    report.tenants[i].result = std::move(results[i]);
    if (const absl::Status status = processes[i]->Wait(); !status.ok()) return Named(options.tenants[i], status);
  }
  SleepUntil(MonotonicNow() + kAftermath);
  watch->Stop();
  KVB_RETURN_IF_ERROR(watch->status());
  report.samples = watch->TakeSamples();
  return report;
}

absl::StatusOr<std::string> DescribeDemand(const Options& options) {
  KVB_ASSIGN_OR_RETURN(const std::vector<std::vector<Request>> workload, MakeWorkload(options));
  KVB_ASSIGN_OR_RETURN(const BlockLayout layout, options.layout());
  std::string out = absl::StrCat(TitleOf(options, layout), "\nwith memory without end:\n");
  Bytes sum;
  for (size_t i = 0; i < workload.size(); ++i) {
    const Demand demand = DemandOf(options.engine, workload[i], layout, options.step_time);
    sum += demand.peak;
    absl::StrAppendFormat(&out, "  %s: %d requests from %.1f to %.1f s, peak %s\n", options.tenants[i],
                          workload[i].size(),
                          workload[i].empty() ? 0 : absl::ToDoubleSeconds(workload[i].front().arrival),
                          absl::ToDoubleSeconds(demand.ends), ToString(demand.peak));
  }
  absl::StrAppend(&out, "sum of the peaks ", ToString(sum), "\n");
  return out;
}

}  // namespace kvbroker::replay
