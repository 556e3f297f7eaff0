#include "broker/daemon.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "broker/command_line.h"
#include "broker/config/config.h"
#include "broker/config/policy_store.h"
#include "broker/journal/journal.h"
#include "broker/policy/fair_policy.h"
#include "broker/reload.h"
#include "broker/server/admin_service.h"
#include "broker/server/broker.h"
#include "broker/server/drain_mark.h"
#include "broker/server/event_loop.h"
#include "broker/server/inherited_sockets.h"
#include "broker/server/runtime_dir.h"
#include "broker/server/service_manager.h"
#include "broker/server/zeroing_watch.h"
#include "common/base/log.h"
#include "common/base/status.h"
#include "common/base/version.h"
#include "common/device/open_device.h"
#include "common/device/zero_check.h"

namespace kvbroker {
namespace {

constexpr char kOperators[] = "kvbroker";  // the group that may use kvctl, where there is one

Bytes DefaultHeadroom(const DeviceInfo& device, Bytes total) {
  if (device.kind == "host") return Bytes();
  return std::max(GiB(1), Bytes(total.in_bytes() / 50));
}

void RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) LogWarning("the limit of descriptors stays at ", limit.rlim_cur);
}

// Blocks the signals that end the broker or make it read its configuration anew, in this thread and those it starts, and returns a
// descriptor that has them.
absl::StatusOr<UniqueFd> TakeSignals() {
  signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) return absl::InternalError("pthread_sigmask failed");
  UniqueFd fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return ErrnoToStatus(errno, "signalfd");
  return fd;
}

// What operators set is kept beside the default runtime directory's brokers, or with the one that was chosen instead.
std::string StateDir(const BrokerConfig& config) {
  if (config.state_dir.has_value()) return *config.state_dir;
  return config.runtime_dir.has_value() ? absl::StrCat(*config.runtime_dir, "/state") : "/var/lib/kvbroker";
}

// What operators set before may be more than there is now: a smaller card, a smaller capacity. The broker serves all the
// same, as far as memory goes.
void WarnOfPromises(std::map<std::string, TenantPolicy> tenants, const std::map<std::string, TenantPolicy>& set,
                    Bytes capacity) {
  for (const auto& [name, policy] : set) tenants[name] = policy;
  const absl::Status kept = CheckAssured(tenants, capacity);
  if (!kept.ok())
    LogWarning("not all promises can be kept: ", kept.message(),
               " (kvctl tenant NAME --guarantee and --reserved change that)");
}

// What `systemctl status` shows.
std::string StatusLine(const BrokerReport& report) {
  return absl::StrCat("lends ", ToString(report.charged), " of ", ToString(report.capacity), " to ",
                      report.sessions.size(), report.sessions.size() == 1 ? " session" : " sessions");
}

// Sees whether the device zeroes what it gives out anew, says so, and returns the exit code. Makes a context on a GPU, and takes
// 256 MiB of it for a moment.
int TryZeroing(const BrokerConfig& config) {
  constexpr size_t kExtents = 8;
  const absl::Status checked = [&]() -> absl::Status {
    KVB_ASSIGN_OR_RETURN(const std::unique_ptr<Device> device,
                         OpenDevice(config.device.value_or("auto"), {.role = DeviceRole::kMapper}));
    return CheckZeroing(*device, device->info().kind == "cuda" ? MiB(32) : device->info().granularity, kExtents);
  }();
  std::cout << (checked.ok() ? "memory that is given out anew is zero" : checked.message()) << std::endl;
  return checked.ok() ? 0 : absl::IsDataLoss(checked) ? kExitNotZeroed : kExitFailed;
}

// `reread`: the flags and the file once more; none: they are wrong, and it has said so.
absl::Status Serve(const BrokerConfig& config, const std::function<std::optional<BrokerConfig>()>& reread,
                   const Seams& seams) {
  KVB_ASSIGN_OR_RETURN(const UniqueFd signals, TakeSignals());
  ServiceManager manager = ServiceManager::FromEnvironment();
  InheritedSockets inherited = InheritedSockets::FromEnvironment();
  const std::set<std::string> systemds = inherited.paths();
  RaiseDescriptorLimit();
  umask(0022);

  const std::string runtime_dir = config.runtime_dir.value_or("/run/kvbroker");
  KVB_ASSIGN_OR_RETURN(const std::unique_ptr<Device> opened,
                       OpenDevice(config.device.value_or("auto"),
                                  {.role = DeviceRole::kOwner,
                                   .host_memory = config.host_memory.value_or(GiB(2)),
                                   // Another runtime directory's broker is another owner of another device.
                                   .host_owner = std::filesystem::absolute(runtime_dir).lexically_normal()}));
  Device& device = seams.device ? seams.device(*opened) : *opened;
  KVB_ASSIGN_OR_RETURN(const DeviceMemory memory, device.Memory());
  KVB_ASSIGN_OR_RETURN(const RuntimeDir dir, RuntimeDir::Open(runtime_dir, device.info().uuid));
  KVB_ASSIGN_OR_RETURN(const uint64_t epoch, dir.NextEpoch());
  KVB_ASSIGN_OR_RETURN(const std::string boot, BootId());
  KVB_ASSIGN_OR_RETURN(Journal journal,
                       Journal::Open(dir.journal(), {.boot_id = boot, .device_uuid = device.info().uuid}, epoch));
  if (!journal.trouble().empty()) {
    LogWarning(journal.trouble(), "; sessions behind it are known again when they come back");
  }
  // A GPU's number is its own; a host device is called 0 where there is no other.
  KVB_RETURN_IF_ERROR(device.info().kind == "cuda" ? dir.Link(absl::StrCat("gpu", device.info().ordinal))
                                                   : dir.LinkUnlessServed("gpu0"));

  KVB_ASSIGN_OR_RETURN(PolicyStore store,
                       PolicyStore::Open(absl::StrCat(StateDir(config), "/", device.info().uuid, "/policy.textproto")));

  const Bytes capacity = config.capacity.value_or(memory.total);
  KVB_ASSIGN_OR_RETURN(const auto tenants, config.TenantPolicies(capacity));
  WarnOfPromises(tenants, store.tenants(), capacity);
  const AccessRules access = config.Access();
  KVB_ASSIGN_OR_RETURN(const auto tenant_sockets, TenantSockets(dir, access));
  const DrainMark drain_mark(dir.drain_mark());
  const Broker::Options options = {
      .arbiter = {.device = {.cap = config.capacity,
                             .headroom = config.headroom.value_or(DefaultHeadroom(device.info(), memory.total))},
                  .device_uuid = device.info().uuid,
                  .granularity = device.info().granularity,
                  .tenants = tenants,
                  .set_tenants = store.tenants(),
                  .policy_revision = store.revision(),
                  .other_tenants = config.OtherTenants(capacity),
                  .access = access,
                  .admits = !drain_mark.stands(),
                  .require_zero = config.require_zero.value_or(false)},
      .engine_socket = dir.engine_socket(),
      .tenant_sockets = tenant_sockets,
      .epoch = epoch,
      .device_kind = device.info().kind,
      .at_effect = seams.at_effect};
  const FairPolicy policy;
  absl::Status end;
  KVB_ASSIGN_OR_RETURN(const std::unique_ptr<EventLoop> loop, EventLoop::Create());
  {
    KVB_ASSIGN_OR_RETURN(const std::unique_ptr<Broker> broker,
                         Broker::Create(options, policy, device, journal, *loop, std::move(inherited)));
    KVB_ASSIGN_OR_RETURN(std::unique_ptr<AdminService> admin,
                         AdminService::Start(dir.admin_socket(), *broker, *loop, device.info(),
                                             {.policies = store, .drain_mark = drain_mark}));
    KVB_RETURN_IF_ERROR(dir.AdmitToAdmin(kOperators));
    const DeviceInfo& info = device.info();
    const std::unique_ptr<ZeroingWatch> zeroing =
        ZeroingWatch::Start({.device = info.kind == "cuda" ? absl::StrCat("cuda:", info.uuid) : info.kind,
                             .record = dir.path() + "/zeroed",
                             .boot_id = boot},
                            *loop, [&](const absl::Status& status) { broker->NoteZeroing(status); });
    const auto reload = [&] {
      manager.Reloading();
      absl::Status reloaded = absl::InvalidArgumentError("see above");
      if (const std::optional<BrokerConfig> then = reread(); then.has_value()) {
        const std::vector<std::string> later = WhatNeedsARestart(config, *then);
        if (!later.empty()) LogWarning("a restart is needed for: ", absl::StrJoin(later, ", "));
        reloaded = Reload(*then, capacity, dir, *broker);
      }
      if (absl::IsInvalidArgument(reloaded)) {
        LogError("the configuration stays as it was: ", reloaded.message());
      } else if (!reloaded.ok()) {
        LogError("not all of the configuration holds: ", reloaded.message());
      }
      manager.Serving();
    };
    KVB_RETURN_IF_ERROR(loop->Watch(signals.get(), [&] {
      signalfd_siginfo info;
      if (read(signals.get(), &info, sizeof(info)) != sizeof(info)) return;
      if (info.ssi_signo == SIGHUP) return reload();
      const size_t sessions = broker->Report().sessions.size();
      LogInfo("ending on ", info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM", " sessions=", sessions,
              sessions == 0 ? "" : " (they keep what they hold)");
      loop->Stop();
    }));

    const BrokerReport report = broker->Report();
    LogInfo("kvbrokerd ", kVersion, " ready device=", device.info().uuid, " (", device.info().name,
            ") capacity=", ToString(report.capacity), " headroom=", ToString(report.headroom),
            " policy_revision=", store.revision(), " tenants=", options.arbiter.tenants.size(),
            options.arbiter.other_tenants.has_value() ? " and others" : "", " epoch=", epoch,
            " engines=", dir.engine_socket(), " admin=", dir.admin_socket());
    if (!options.arbiter.admits) LogWarning("drained: no new sessions are admitted until kvctl drain --off");
    manager.Ready(*loop, [&] { return StatusLine(broker->Report()); });
    loop->Run();
    manager.Stopping();
    loop->Unwatch(signals.get());
    admin.reset();
    end = broker->end();
  }
  dir.RemoveSockets(systemds);
  LogInfo("ended");
  return end;
}

}  // namespace

int RunDaemon(int argc, char** argv, const Seams& seams) {
  const auto asked = ParseCommandLine(argc, argv);
  if (const int* code = std::get_if<int>(&asked)) return *code;
  const auto& [config, task] = std::get<CommandLine>(asked);
  if (task == CommandLine::Task::kCheckZeroing) return TryZeroing(config);
  const auto reread = [argc, argv]() -> std::optional<BrokerConfig> {
    const auto again = ParseCommandLine(argc, argv);
    const CommandLine* line = std::get_if<CommandLine>(&again);
    return line == nullptr ? std::nullopt : std::optional(line->config);
  };
  const absl::Status served = Serve(config, reread, seams);
  if (served.ok()) return 0;
  std::cerr << "kvbrokerd: " << served.message() << "\n";
  return absl::IsInvalidArgument(served) ? kExitUsage : kExitFailed;  // what it was told makes no sense: it never will
}

}  // namespace kvbroker
