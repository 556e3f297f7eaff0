#include "broker/command_line.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/base/status.h"
#include "common/base/version.h"

namespace kvbroker {
namespace {

constexpr char kDefaultConfig[] = "/etc/kvbroker/broker.textproto";
constexpr Bytes kUnknownCapacity = Bytes(uint64_t{1} << 60);

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
  bool check_zeroing = false;
};

void AddFlags(CLI::App& app, Flags& flags) {
  app.add_option("--config", flags.config,
                 absl::StrCat("The configuration; default ", kDefaultConfig, " if it is there"))
      ->type_name("FILE");
  app.add_option(
         "--device", flags.device,
         "cuda:0 or 0, cuda:GPU-<uuid> or GPU-<uuid>, host or host:<name>; default cuda:0 where there is a GPU, "
         "else host")
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
  app.add_flag("--check-zeroing", flags.check_zeroing,
               "Write to memory of the device, let go of it, see whether what is given out anew is zero, and end");
  app.set_version_flag("--version", absl::StrCat("kvbrokerd ", kVersion));
  app.footer(
      "Examples:\n"
      "  kvbrokerd --device host --runtime-dir /tmp/kvb      try it without a GPU and without root\n"
      "  kvbrokerd --capacity 50GiB --tenant chat=40GiB --tenant batch=25%\n"
      "Without any tenant in flags and configuration, all are admitted without a limit.\n"
      "SIGHUP: tenants, what they are promised and who may be one are read anew. SIGTERM: ends; engines go on.\n"
      "Exit codes: 0 ended by a signal, 1 failed, 2 usage; --check-zeroing: 0 zero, 3 not zero, 1 could not be tried.");
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

}  // namespace

std::variant<CommandLine, int> ParseCommandLine(int argc, char** argv) {
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
  absl::StatusOr<BrokerConfig> config = ConfigOf(flags);
  if (!config.ok()) {
    std::cerr << "kvbrokerd: " << config.status().message() << "\n";
    return kExitUsage;
  }
  if (flags.check_zeroing) return CommandLine{*std::move(config), CommandLine::Task::kCheckZeroing};
  if (!flags.check) return CommandLine{*std::move(config)};
  // The device's size is known when it is opened: without a capacity, what is written in bytes fits.
  const absl::Status tenants = config->TenantPolicies(config->capacity.value_or(kUnknownCapacity)).status();
  if (!tenants.ok()) std::cerr << "kvbrokerd: " << tenants.message() << "\n";
  return tenants.ok() ? 0 : kExitUsage;
}

}  // namespace kvbroker
