// kvbrokerd: owns the memory that engines borrow, one process for each device.
//
//   $ kvbrokerd --device host --host-memory 2GiB --runtime-dir /tmp/kvb
//   12:00:00.000 kvbrokerd 0.1.0 ready device=HOST-host (host memory, 2 GiB) capacity=2 GiB headroom=0 B policy_revision=0 tenants=0 epoch=1 …

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "broker/config/config.h"
#include "broker/config/policy_store.h"
#include "broker/journal/journal.h"
#include "broker/policy/fair_policy.h"
#include "broker/server/admin_service.h"
#include "broker/server/broker.h"
#include "broker/server/event_loop.h"
#include "broker/server/runtime_dir.h"
#include "common/base/log.h"
#include "common/base/status.h"
#include "common/base/version.h"
#include "common/device/open_device.h"

namespace kvbroker {
namespace {

constexpr char kDefaultConfig[] = "/etc/kvbroker/broker.textproto";
constexpr char kOperators[] = "kvbroker";  // the group that may use kvctl, where there is one
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

// The flags, as they were written.
struct Flags {
  std::string config;
  std::string device;
  std::string capacity;
  std::string headroom;
  std::string host_memory;
  std::string runtime_dir;
  std::string state_dir;
  std::vector<std::string> tenants;
  bool check = false;
};

void AddFlags(CLI::App& app, Flags& flags) {
  app.add_option("--config", flags.config,
                 absl::StrCat("The configuration; default ", kDefaultConfig, " if it is there"))
      ->type_name("FILE");
  app.add_option("--device", flags.device,
                 "cuda:0, cuda:GPU-<uuid>, host or host:<name>; default cuda:0 where there is a GPU, else host")
      ->type_name("DEVICE");
  app.add_option("--capacity", flags.capacity, "The most that may be lent; default all but the headroom")
      ->type_name("SIZE");
  app.add_option("--headroom", flags.headroom, "Kept free on the device; default 2 % and at least 1GiB (host: none)")
      ->type_name("SIZE");
  app.add_option("--host-memory", flags.host_memory, "The size of the host device; default 2GiB")->type_name("SIZE");
  app.add_option("--runtime-dir", flags.runtime_dir, "Sockets and lock; default $KVBROKER_RUNTIME_DIR or /run/kvbroker")
      ->type_name("DIR");
  app.add_option("--state-dir", flags.state_dir,
                 "What outlives the broker; default $KVBROKER_STATE_DIR or /var/lib/kvbroker (where --runtime-dir is "
                 "given, its state/)")
      ->type_name("DIR");
  app.add_option("--tenant", flags.tenants, "A tenant and its limit, as a=40GiB, b=25% or c=none; may be repeated")
      ->type_name("NAME=LIMIT");
  app.add_flag("--check", flags.check, "Read flags and configuration, say what is wrong, and end");
  app.set_version_flag("--version", absl::StrCat("kvbrokerd ", kVersion));
  app.footer(
      "Examples:\n"
      "  kvbrokerd --device host --runtime-dir /tmp/kvb      try it without a GPU and without root\n"
      "  kvbrokerd --capacity 50GiB --tenant chat=40GiB --tenant batch=25%\n"
      "Without any tenant in flags and configuration, all are admitted without a limit.\n"
      "Exit codes: 0 ended by a signal, 1 failed, 2 usage.");
}

absl::Status SetSize(absl::string_view flag, const std::string& text, std::optional<Bytes>& size) {
  if (text.empty()) return absl::OkStatus();
  const absl::StatusOr<Bytes> parsed = ParseBytes(text);
  if (!parsed.ok()) return absl::InvalidArgumentError(absl::StrCat(flag, ": ", parsed.status().message()));
  size = *parsed;
  return absl::OkStatus();
}

std::optional<std::string> FromFlagOrEnvironment(const std::string& flag, const char* variable) {
  if (!flag.empty()) return flag;
  const char* value = std::getenv(variable);
  if (value != nullptr && *value != '\0') return value;
  return std::nullopt;
}

absl::StatusOr<BrokerConfig> ConfigOf(const Flags& flags) {
  BrokerConfig config;
  if (!flags.device.empty()) config.device = flags.device;
  KVB_RETURN_IF_ERROR(SetSize("--capacity", flags.capacity, config.capacity));
  KVB_RETURN_IF_ERROR(SetSize("--headroom", flags.headroom, config.headroom));
  KVB_RETURN_IF_ERROR(SetSize("--host-memory", flags.host_memory, config.host_memory));
  config.runtime_dir = FromFlagOrEnvironment(flags.runtime_dir, "KVBROKER_RUNTIME_DIR");
  config.state_dir = FromFlagOrEnvironment(flags.state_dir, "KVBROKER_STATE_DIR");
  for (const std::string& tenant : flags.tenants) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(tenant, absl::MaxSplits('=', 1));
    KVB_RETURN_IF_ERROR(CheckTenantName(parts.first));
    const absl::StatusOr<LimitSetting> limit = ParseLimit(parts.second.empty() ? "none" : parts.second);
    if (!limit.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--tenant ", tenant, ": ", limit.status().message()));
    }
    config.tenants[parts.first].limit = *limit;
  }
  const bool named = !flags.config.empty();
  if (named || access(kDefaultConfig, F_OK) == 0) {
    KVB_ASSIGN_OR_RETURN(const BrokerConfig file, ReadConfig(named ? flags.config : kDefaultConfig));
    config.FillFrom(file);
  }
  return config;
}

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

// Blocks the signals that end the broker, in this thread and those it starts, and returns a descriptor that has them.
absl::StatusOr<UniqueFd> TakeSignals() {
  signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) return absl::InternalError("pthread_sigmask failed");
  UniqueFd fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return ErrnoToStatus(errno, "signalfd");
  return fd;
}

// Leaves the link by which people find the device; see RuntimeDir.
absl::Status LinkDevice(const RuntimeDir& dir, absl::string_view device, absl::string_view kind) {
  if (kind != "cuda") return dir.LinkUnlessServed("gpu0");
  int number = 0;  // where nothing is named, it is the first
  if (absl::ConsumePrefix(&device, "cuda:") && !absl::SimpleAtoi(device, &number)) return absl::OkStatus();
  return dir.Link(absl::StrCat("gpu", number));
}

constexpr Bytes kUnknownCapacity = Bytes(uint64_t{1} << 60);

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

absl::Status Serve(const BrokerConfig& config) {
  KVB_ASSIGN_OR_RETURN(const UniqueFd signals, TakeSignals());
  RaiseDescriptorLimit();
  umask(0022);

  const std::string runtime_dir = config.runtime_dir.value_or("/run/kvbroker");
  KVB_ASSIGN_OR_RETURN(const std::unique_ptr<Device> device,
                       OpenDevice(config.device.value_or("auto"),
                                  {.role = DeviceRole::kOwner,
                                   .host_memory = config.host_memory.value_or(GiB(2)),
                                   // Another runtime directory's broker is another owner of another device.
                                   .host_owner = std::filesystem::absolute(runtime_dir).lexically_normal()}));
  KVB_ASSIGN_OR_RETURN(const DeviceMemory memory, device->Memory());
  KVB_ASSIGN_OR_RETURN(const RuntimeDir dir, RuntimeDir::Open(runtime_dir, device->info().uuid));
  KVB_ASSIGN_OR_RETURN(const uint64_t epoch, dir.NextEpoch());
  KVB_ASSIGN_OR_RETURN(const std::string boot, BootId());
  KVB_ASSIGN_OR_RETURN(Journal journal,
                       Journal::Open(dir.journal(), {.boot_id = boot, .device_uuid = device->info().uuid}, epoch));
  if (!journal.trouble().empty()) {
    LogWarning(journal.trouble(), "; sessions behind it are known again when they come back");
  }
  KVB_RETURN_IF_ERROR(LinkDevice(dir, config.device.value_or("auto"), device->info().kind));

  KVB_ASSIGN_OR_RETURN(PolicyStore store, PolicyStore::Open(absl::StrCat(StateDir(config), "/", device->info().uuid,
                                                                         "/policy.textproto")));

  const Bytes capacity = config.capacity.value_or(memory.total);
  KVB_ASSIGN_OR_RETURN(const auto tenants, config.TenantPolicies(capacity));
  WarnOfPromises(tenants, store.tenants(), capacity);
  const Broker::Options options = {
      .arbiter = {.device = {.cap = config.capacity,
                             .headroom = config.headroom.value_or(DefaultHeadroom(device->info(), memory.total))},
                  .device_uuid = device->info().uuid,
                  .granularity = device->info().granularity,
                  .tenants = tenants,
                  .set_tenants = store.tenants(),
                  .policy_revision = store.revision(),
                  .other_tenants = config.OtherTenants(capacity),
                  .access = config.Access()},
      .engine_socket = dir.engine_socket(),
      .epoch = epoch,
      .device_kind = device->info().kind};
  const FairPolicy policy;
  KVB_ASSIGN_OR_RETURN(const std::unique_ptr<EventLoop> loop, EventLoop::Create());
  {
    KVB_ASSIGN_OR_RETURN(const std::unique_ptr<Broker> broker,
                         Broker::Create(options, policy, *device, journal, *loop));
    KVB_ASSIGN_OR_RETURN(std::unique_ptr<AdminService> admin,
                         AdminService::Start(dir.admin_socket(), *broker, *loop, device->info(), store));
    KVB_RETURN_IF_ERROR(dir.AdmitToAdmin(kOperators));
    KVB_RETURN_IF_ERROR(loop->Watch(signals.get(), [&] {
      signalfd_siginfo info;
      if (read(signals.get(), &info, sizeof(info)) != sizeof(info)) return;
      const size_t sessions = broker->Report().sessions.size();
      LogInfo("ending on ", info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM", " sessions=", sessions,
              sessions == 0 ? "" : " (they keep what they hold)");
      loop->Stop();
    }));

    const BrokerReport report = broker->Report();
    LogInfo("kvbrokerd ", kVersion, " ready device=", device->info().uuid, " (", device->info().name,
            ") capacity=", ToString(report.capacity), " headroom=", ToString(report.headroom),
            " policy_revision=", store.revision(), " tenants=", options.arbiter.tenants.size(),
            options.arbiter.other_tenants.has_value() ? " and others" : "", " epoch=", epoch,
            " engines=", dir.engine_socket(), " admin=", dir.admin_socket());
    loop->Run();
    loop->Unwatch(signals.get());
    admin.reset();
  }
  dir.RemoveSockets();
  LogInfo("ended");
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("Lends a GPU's memory to language-model engines, slot by slot.", "kvbrokerd");
  Flags flags;
  AddFlags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    std::cerr << "kvbrokerd: " << error.what() << " (see kvbrokerd --help)\n";
    return kExitUsage;
  }
  const absl::StatusOr<BrokerConfig> config = ConfigOf(flags);
  if (!config.ok()) {
    std::cerr << "kvbrokerd: " << config.status().message() << "\n";
    return kExitUsage;
  }
  if (flags.check) {
    // The device's size is known when it is opened: without a capacity, what is written in bytes fits.
    const absl::Status tenants = config->TenantPolicies(config->capacity.value_or(kUnknownCapacity)).status();
    if (!tenants.ok()) std::cerr << "kvbrokerd: " << tenants.message() << "\n";
    return tenants.ok() ? 0 : kExitUsage;
  }
  const absl::Status served = Serve(*config);
  if (!served.ok()) {
    std::cerr << "kvbrokerd: " << served.message() << "\n";
    return kExitFailed;
  }
  return 0;
}

}  // namespace
}  // namespace kvbroker

int main(int argc, char** argv) { return kvbroker::Main(argc, argv); }
