#include "cli/run.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "cli/command.h"
#include "cli/completion.h"
#include "cli/detach.h"
#include "cli/drain.h"
#include "cli/dump.h"
#include "cli/events.h"
#include "cli/launch.h"
#include "cli/limit.h"
#include "cli/room_session.h"
#include "cli/rooms.h"
#include "cli/session.h"
#include "cli/sessions.h"
#include "cli/simulate.h"
#include "cli/status.h"
#include "cli/tenant.h"
#include "cli/tenants.h"
#include "cli/top.h"
#include "cli/trim.h"
#include "cli/version.h"
#include "cli/why.h"
#include "common/base/status.h"
#include "common/base/version.h"

namespace kvbroker::cli {
namespace {

constexpr char kFooter[] =
    "Examples:\n"
    "  kvctl status\n"
    "  kvctl top\n"
    "  kvctl limit chat 50%\n"
    "  kvctl tenant chat --guarantee 20GiB\n"
    "  kvctl trim batch --to 1GiB\n"
    "  kvctl simulate chat --want 30GiB\n"
    "  kvctl launch --room 22GiB -- python serve.py\n"
    "  kvctl tenants --json\n"
    "  kvctl limit --help\n"
    "Without --socket and --device, kvctl asks the one broker that runs in the runtime directory.\n"
    "JSON: fields as in proto/admin.proto, sizes in bytes; 64-bit numbers are strings.\n"
    "Exit codes: 0 ok, 1 failed, 2 usage; kvctl launch: those of what it runs.";

struct Globals {
  Where where;
  bool json = false;
};

// A command and what stands for it on the command line.
struct Declared {
  std::unique_ptr<Command> command;
  CLI::App* app = nullptr;
};

void AddGlobals(CLI::App& app, Globals& globals) {
  app.add_option("--socket", globals.where.socket, "The admin socket of the broker")
      ->type_name("PATH")
      ->group("Broker");
  app.add_option("--runtime-dir", globals.where.runtime_dir,
                 "Where brokers run; default $KVBROKER_RUNTIME_DIR or /run/kvbroker")
      ->type_name("DIR")
      ->group("Broker");
  app.add_option("--device", globals.where.device, "The device whose broker is meant: its folder there")
      ->type_name("UUID")
      ->group("Broker");
  app.add_flag("--json", globals.json, "Print JSON");
}

std::vector<Declared> DeclareCommands(CLI::App& app, Globals& globals) {
  std::vector<Declared> commands;
  const auto add = [&](std::unique_ptr<Command> command) {
    const Command::Text text = command->text();
    CLI::App* sub = app.add_subcommand(text.name, text.what);
    sub->footer(absl::StrCat("Examples:\n", absl::StripSuffix(text.examples, "\n")));
    // Extra arguments are let in to be refused by name.
    sub->allow_extras();
    for (const std::string& alias : text.aliases) sub->alias(alias);
    command->Declare(*sub);
    AddGlobals(*sub, globals);
    commands.push_back({std::move(command), sub});
  };
  add(std::make_unique<StatusCommand>());
  add(std::make_unique<TenantsCommand>());
  add(std::make_unique<SessionsCommand>());
  add(std::make_unique<RoomsCommand>());
  add(std::make_unique<TopCommand>());
  add(std::make_unique<EventsCommand>());
  add(std::make_unique<WhyCommand>());
  add(std::make_unique<SimulateCommand>());
  add(std::make_unique<TenantCommand>());
  add(std::make_unique<LimitCommand>());
  add(std::make_unique<TrimCommand>());
  add(std::make_unique<SessionCommand>());
  add(std::make_unique<DrainCommand>());
  add(std::make_unique<DetachCommand>());
  add(std::make_unique<LaunchCommand>(OpenRoomSession));
  add(std::make_unique<DumpCommand>());
  add(std::make_unique<CompletionCommand>());
  add(std::make_unique<VersionCommand>());
  return commands;
}

// The command that `args` name, or nothing: the first word that is no option of kvctl's own, nor an option's value.
const Declared* Named(const CLI::App& app, const std::vector<Declared>& commands,
                      const std::vector<std::string>& args) {
  size_t i = 0;
  for (; i < args.size() && absl::StartsWith(args[i], "-"); ++i) {
    const CLI::Option* option = app.get_option_no_throw(args[i]);
    if (option != nullptr && option->get_expected_max() > 0) ++i;
  }
  if (i >= args.size()) return nullptr;
  const auto named = std::find_if(commands.begin(), commands.end(),
                                  [&](const Declared& declared) { return declared.app->get_name() == args[i]; });
  return named == commands.end() ? nullptr : &*named;
}

// Gives a command that takes it what stands behind "--", and returns the other arguments.
std::vector<std::string> WithoutRest(const CLI::App& app, const std::vector<Declared>& commands,
                                     const std::vector<std::string>& args) {
  const Declared* named = Named(app, commands, args);
  const auto mark = std::find(args.begin(), args.end(), "--");
  if (named == nullptr || !named->command->takes_rest() || mark == args.end()) return args;
  named->command->TakeRest({mark + 1, args.end()});
  return {args.begin(), mark};
}

absl::Status CheckWhere(const Where& where) {
  for (const auto& [name, value] :
       {std::pair("--socket", &where.socket), std::pair("--runtime-dir", &where.runtime_dir),
        std::pair("--device", &where.device)}) {
    if (value->has_value() && (*value)->empty())
      return absl::InvalidArgumentError(absl::StrCat(name, ": '' is nothing"));
  }
  if (where.socket.has_value() && where.device.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("--socket ", *where.socket, " and --device ", *where.device,
                                                   " both say which broker is meant; give one"));
  }
  if (where.device.has_value() && absl::StrContains(*where.device, '/')) {
    return absl::InvalidArgumentError(absl::StrCat("--device: '", *where.device, "' is no UUID of a device"));
  }
  return absl::OkStatus();
}

// The command that was chosen, its values checked. INVALID_ARGUMENT says what is wrong with the arguments.
absl::StatusOr<Command*> Chosen(const CLI::App& app, const std::vector<Declared>& commands, const Globals& globals) {
  const auto chosen =
      std::find_if(commands.begin(), commands.end(), [](const Declared& declared) { return declared.app->parsed(); });
  std::vector<std::string> extras = app.remaining(/*recurse=*/true);
  // The mark itself is kept with them.
  if (const auto mark = std::find(extras.begin(), extras.end(), "--"); mark != extras.end()) extras.erase(mark);
  if (!extras.empty() && absl::StartsWith(extras.front(), "-")) {
    return absl::InvalidArgumentError(absl::StrCat("unknown option '", extras.front(), "'"));
  }
  if (!extras.empty() && chosen != commands.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("unexpected argument '", extras.front(), "'",
                     chosen->command->takes_rest() ? ": what is to be run stands behind --" : ""));
  }
  if (chosen == commands.end()) {
    const std::string names = absl::StrJoin(commands, ", ", [](std::string* out, const Declared& declared) {
      absl::StrAppend(out, declared.app->get_name());
    });
    return absl::InvalidArgumentError(extras.empty()
                                          ? absl::StrCat("no command is given: ", names)
                                          : absl::StrCat("unknown command '", extras.front(), "'; there are: ", names));
  }
  KVB_RETURN_IF_ERROR(CheckWhere(globals.where));
  KVB_RETURN_IF_ERROR(chosen->command->Check());
  return chosen->command.get();
}

int Failed(const Console& console, absl::string_view message) {
  console.err << "kvctl: " << absl::StrReplaceAll(message, {{"\n", " "}}) << "\n";
  return kExitFailed;
}

int Misused(const Console& console, const CLI::App& app, absl::string_view message) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const std::string command = chosen.empty() ? "" : absl::StrCat(chosen.front()->get_name(), " ");
  Failed(console, absl::StrCat(message, " (see kvctl ", command, "--help)"));
  return kExitUsage;
}

}  // namespace

int Run(const std::vector<std::string>& args, const Console& console) {
  CLI::App app("Shows and steers the broker that lends a GPU's memory to language-model engines.", "kvctl");
  Globals globals;
  AddGlobals(app, globals);
  app.set_version_flag("--version", absl::StrCat("kvctl ", kVersion));
  app.require_subcommand(0, 1);
  app.allow_extras();
  app.footer(kFooter);
  const std::vector<Declared> commands = DeclareCommands(app, globals);
  try {
    const std::vector<std::string> own = WithoutRest(app, commands, args);
    app.parse(std::vector<std::string>(own.rbegin(), own.rend()));
  } catch (const CLI::Success& success) {
    return app.exit(success, console.out, console.err);
  } catch (const CLI::ParseError& error) {
    return Misused(console, app, error.what());
  }
  const absl::StatusOr<Command*> command = Chosen(app, commands, globals);
  if (!command.ok()) return Misused(console, app, command.status().message());

  const absl::Status done = (*command)->Run(
      {.where = globals.where, .output = globals.json ? Output::kJson : Output::kText, .console = console});
  if (!done.ok()) {
    Failed(console, done.message());
    return (*command)->ExitCode(done);
  }
  console.out.flush();
  if (!console.out) return Failed(console, "the output could not be written");
  return (*command)->ExitCode(done);
}

}  // namespace kvbroker::cli
