#include "tests/replay/tenant.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/arena/arena.h"
#include "client/session/session.h"
#include "common/base/log.h"
#include "common/base/status.h"
#include "tests/replay/block_pool.h"
#include "tests/replay/create_pattern.h"
#include "tests/replay/messages.h"
#include "tests/replay/monotonic.h"
#include "tests/replay/pattern.h"
#include "tests/replay/tenant_replay.h"
#include "tests/replay/workload.h"

namespace kvbroker::replay {
namespace {

absl::Status Send(int channel, const Message& message) {
  const std::string line = ToLine(message);
  for (size_t sent = 0; sent < line.size();) {
    const ssize_t n = send(channel, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EINTR) return ErrnoToStatus(errno, "telling the coordinator");
    if (n > 0) sent += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

absl::StatusOr<MonotonicTime> ReceiveStart(int channel) {
  std::string line;
  for (char c = 0; c != '\n'; line += c) {
    const ssize_t n = read(channel, &c, 1);
    if (n < 0 && errno != EINTR) return ErrnoToStatus(errno, "waiting for the start");
    if (n == 0) return absl::CancelledError("the coordinator ended before the start");
  }
  int64_t nanoseconds;
  if (!absl::SimpleAtoi(line, &nanoseconds)) return absl::DataLossError(absl::StrCat("no start: ", Quoted(line)));
  return MonotonicTime(absl::Nanoseconds(nanoseconds));
}

absl::Status Run(const Options& options, int channel) {
  KVB_ASSIGN_OR_RETURN(const std::vector<std::vector<Request>> workload, MakeWorkload(options));
  KVB_ASSIGN_OR_RETURN(const BlockLayout layout, options.layout());
  KVB_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                       Session::Open({.tenant = options.tenants[*options.run_as],
                                      .engine = "replay",
                                      .socket = options.socket,
                                      .runtime_dir = options.runtime_dir,
                                      .device_uuid = options.device,
                                      .progress_floor = options.of_tenant[*options.run_as].floor}));
  KVB_ASSIGN_OR_RETURN(const std::unique_ptr<Arena> arena, session->CreateArena({.planes = {options.slot},
                                                                                 .slots = options.arena_slots(),
                                                                                 .low = options.low,
                                                                                 .high = options.high,
                                                                                 .ahead = options.ahead}));
  KVB_ASSIGN_OR_RETURN(const std::unique_ptr<Pattern> pattern, CreatePattern(session->device(), layout.block()));
  const Session::Info info = session->info();
  KVB_RETURN_IF_ERROR(Send(channel, Ready{.device_uuid = info.device_uuid,
                                          .device_kind = info.device_kind,
                                          .capacity = info.capacity,
                                          .limit = info.limit}));
  KVB_ASSIGN_OR_RETURN(const MonotonicTime start, ReceiveStart(channel));

  Options own = options;
  own.engine.seed = SpreadSeed(options.engine.seed) + *options.run_as;
  TenantReplay replay(own, workload, layout, *session, *arena, *pattern);
  KVB_ASSIGN_OR_RETURN(Result result, replay.Run(start));
  return Send(channel, std::move(result));
}

}  // namespace

int RunTenant(const Options& options, UniqueFd channel) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const absl::Status status = Run(options, channel.get());
  if (status.ok()) return 0;
  Send(channel.get(), Failure{.text = status.ToString()}).IgnoreError();
  return 1;
}

}  // namespace kvbroker::replay
