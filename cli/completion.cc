// Code for a shell that completes commands, options and, by asking the broker, tenants.
//
//   $ source <(kvctl completion bash)
//   $ kvctl limit ch<Tab>

#include "cli/completion.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace kvbroker::cli {
namespace {

// What stands between two @ is put in by the functions below.
constexpr char kBash[] = R"sh(# Completes kvctl in bash: source <(kvctl completion bash)

_kvctl_matching() {  # reads candidates, one a line; they may come from the broker and are not expanded
  local word
  while IFS= read -r word; do
    [[ $word == "$1"* ]] && COMPREPLY+=("$word")
  done
}

_kvctl_other() {  # completes the command line that begins with word $1
  if declare -F _command_offset >/dev/null; then
    _command_offset "$1"
  elif (($1 == COMP_CWORD)); then
    COMPREPLY=($(compgen -c -- "$current"))
  else
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}

_kvctl_asked() {  # candidates that the broker knows: what kvctl "$@" prints
  _kvctl_matching "$current" < <("${COMP_WORDS[0]/#\~/$HOME}" "$@" "${where[@]}" 2>/dev/null)
}

_kvctl() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local command= arguments=0 i=1 word where=()
  COMPREPLY=()
  [[ $current == = ]] && current=
  [[ $previous == = ]] && previous=${COMP_WORDS[COMP_CWORD-2]}
  while ((i < COMP_CWORD)); do
    word=${COMP_WORDS[i]}
    case $word in
      @VALUED@)
        [[ ${COMP_WORDS[i+1]} == = ]] && ((i++))
        ((i++))
        case $word in
          --socket|--runtime-dir|--device) ((i < COMP_CWORD)) && where+=("$word" "${COMP_WORDS[i]/#\~/$HOME}") ;;
        esac
        ;;
      --)
        if [[ $command == launch ]]; then _kvctl_other $((i + 1)); return; fi
        ;;
      -*) ;;
      *) if [[ -z $command ]]; then command=$word; else ((arguments++)); fi ;;
    esac
    ((i++))
  done
  case $previous in
    --socket) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current")); return ;;
    --runtime-dir) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$current")); return ;;
@CHOICES@
    @VALUED@) return ;;
  esac
  local words=
  if [[ $current == -* ]]; then
    case $command in
@OPTIONS@
    esac
  else
    case $command:$arguments in
      :*) words='@COMMANDS@' ;;
      limit:0|tenant:0|simulate:0|trim:0) _kvctl_asked tenants --names; return ;;
      limit:1) words='none initial' ;;
      why:0|session:0) _kvctl_asked sessions --ids; return ;;
      completion:0) words='bash zsh fish' ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}

complete -F _kvctl kvctl
)sh";

constexpr char kZsh[] = R"sh(#compdef kvctl
# Completes kvctl in zsh: source <(kvctl completion zsh), or keep this as _kvctl in a folder of $fpath.

_kvctl_where() {  # adds what opt_args says of the broker to $where
  local option
  for option in --socket --runtime-dir --device; do
    [[ -n ${opt_args[$option]} ]] && where+=($option ${(Q)opt_args[$option]})
  done
}

_kvctl_tenants() {
  local -a names
  _kvctl_where
  names=(${(f)"$(_call_program tenants kvctl tenants --names ${(q)where} 2>/dev/null)"})
  compadd -a names
}

_kvctl_sessions() {
  local -a ids
  _kvctl_where
  ids=(${(f)"$(_call_program sessions kvctl sessions --ids ${(q)where} 2>/dev/null)"})
  compadd -a ids
}

_kvctl() {
  local curcontext=$curcontext state line
  local -A opt_args
  local -a where commands
  commands=(
@COMMANDS@
  )
  _arguments -C \
@GLOBALS@
    '1:command:->command' \
    '*::argument:->argument'
  _kvctl_where  # what stands before the command: the next _arguments forgets it
  case $state in
    command) _describe command commands ;;
    argument)
      case $words[1] in
@OPTIONS@
      esac
      ;;
  esac
}

if [[ $funcstack[1] == _kvctl ]]; then
  _kvctl "$@"
else
  compdef _kvctl kvctl
fi
)sh";

constexpr char kFish[] = R"sh(# Completes kvctl in fish: kvctl completion fish | source

function __kvctl_asked
    set -l where
    set -l words (commandline -opc)
    for option in --socket --runtime-dir --device
        set -l at (contains -i -- $option $words); and set -a where $option $words[(math $at + 1)]
    end
    kvctl $argv $where 2>/dev/null
end

# Whether $argv[2] arguments stand behind the command $argv[1].
function __kvctl_argument
    set -l words (commandline -opc)
    set -l at (contains -i -- $argv[1] $words); or return 1
    set -l plain
    set -l skip 0
    for word in $words[(math $at + 1)..-1]
        if test $skip = 1
            set skip 0
        else if contains -- $word @VALUED@
            set skip 1
        else if not string match -q -- '-*' $word
            set -a plain $word
        end
    end
    test (count $plain) -eq $argv[2]
end

complete -c kvctl -f
@GLOBALS@
@COMMANDS@
for command in limit tenant simulate trim
    complete -c kvctl -n "__kvctl_argument $command 0" -a '(__kvctl_asked tenants --names)'
end
complete -c kvctl -n '__kvctl_argument limit 1' -a 'none initial'
for command in why session
    complete -c kvctl -n "__kvctl_argument $command 0" -a '(__kvctl_asked sessions --ids)'
end
complete -c kvctl -n '__kvctl_argument launch 0' -a '(__fish_complete_command)'
complete -c kvctl -n '__kvctl_argument completion 0' -a 'bash zsh fish'
@OPTIONS@
)sh";

std::vector<const CLI::App*> Commands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// Those with a long name that help shows.
std::vector<const CLI::Option*> Options(const CLI::App& app) {
  return app.get_options(
      [](const CLI::Option* option) { return !option->get_lnames().empty() && !option->get_group().empty(); });
}

std::string LongName(const CLI::Option& option) { return absl::StrCat("--", option.get_lnames().front()); }
bool TakesValue(const CLI::Option& option) { return option.get_expected_max() > 0; }
bool TakesFolder(const CLI::Option& option) { return option.get_type_name() == "DIR"; }
bool TakesFile(const CLI::Option& option) { return option.get_type_name() == "PATH"; }

// What the option's value may be, where there is a list: "batch|interactive" among them.
std::vector<std::string> ChoicesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  if (type == "AMOUNT") return {"none", "initial"};
  if (absl::StrContains(type, '|')) return absl::StrSplit(type, '|');
  return {};
}
bool TakesTenant(const CLI::Option& option) { return option.get_type_name() == "TENANT"; }

// `text` between single quotes, as the three shells and the lists of zsh read it.
std::string InQuotes(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", ""}, {"[", "("}, {"]", ")"}, {":", ","}}), "'");
}

template <typename Items, typename Format>
std::string Join(const Items& items, absl::string_view separator, Format format) {
  return absl::StrJoin(items, separator, [&](std::string* out, const auto* item) { out->append(format(*item)); });
}

std::string OptionNames(const CLI::App& app) { return Join(Options(app), " ", LongName); }

// The options, of any command, that the next word belongs to.
std::vector<std::string> ValuedOptions(const CLI::App& app) {
  std::vector<std::string> valued;
  for (const CLI::App* command : Commands(app)) {
    for (const CLI::Option* option : Options(*command)) {
      const std::string name = LongName(*option);
      if (TakesValue(*option) && std::find(valued.begin(), valued.end(), name) == valued.end()) valued.push_back(name);
    }
  }
  return valued;
}

// Each option of any command whose value can be completed, once.
std::vector<const CLI::Option*> CompletedOptions(const CLI::App& app) {
  std::vector<const CLI::Option*> completed;
  for (const CLI::App* command : Commands(app)) {
    for (const CLI::Option* option : Options(*command)) {
      const bool known = std::any_of(completed.begin(), completed.end(),
                                     [&](const CLI::Option* other) { return LongName(*other) == LongName(*option); });
      if (!known && (TakesTenant(*option) || !ChoicesOf(*option).empty())) completed.push_back(option);
    }
  }
  return completed;
}

std::string BashChoice(const CLI::Option& option) {
  const std::string candidates =
      TakesTenant(option)
          ? "_kvctl_asked tenants --names"
          : absl::StrCat("COMPREPLY=($(compgen -W '", absl::StrJoin(ChoicesOf(option), " "), "' -- \"$current\"))");
  return absl::StrCat("    ", LongName(option), ") ", candidates, "; return ;;");
}

std::string BashCompletion(const CLI::App& app) {
  std::string options;
  for (const CLI::App* command : Commands(app)) {
    absl::StrAppend(&options, "      ", command->get_name(), ") words='", OptionNames(*command), "' ;;\n");
  }
  absl::StrAppend(&options, "      '') words='", OptionNames(app), "' ;;");
  return absl::StrReplaceAll(
      kBash, {{"@VALUED@", absl::StrJoin(ValuedOptions(app), "|")},
              {"@CHOICES@", Join(CompletedOptions(app), "\n", BashChoice)},
              {"@OPTIONS@", options},
              {"@COMMANDS@", Join(Commands(app), " ", [](const CLI::App& command) { return command.get_name(); })}});
}

std::string ZshOption(const CLI::Option& option) {
  const std::string value = TakesFolder(option)   ? ":folder:_files -/"
                            : TakesFile(option)   ? ":path:_files"
                            : TakesTenant(option) ? ":tenant:_kvctl_tenants"
                            : !ChoicesOf(option).empty()
                                ? absl::StrCat(":value:(", absl::StrJoin(ChoicesOf(option), " "), ")")
                            : TakesValue(option) ? ":value: "
                                                 : "";
  const std::string quoted = InQuotes(option.get_description());
  return absl::StrCat("'", LongName(option), "[", quoted.substr(1, quoted.size() - 2), "]", value, "'");
}

std::string ZshArguments(const CLI::App& command) {
  const std::string name = command.get_name();
  if (name == "limit") return " '1:tenant:_kvctl_tenants' '2:limit:(none initial)'";
  if (name == "tenant" || name == "simulate" || name == "trim") return " '1:tenant:_kvctl_tenants'";
  if (name == "why" || name == "session") return " '1:session:_kvctl_sessions'";
  if (name == "launch") return " '(-)1:command:_command_names -e' '*::arguments:_normal'";
  if (name == "completion") return " '1:shell:(bash zsh fish)'";
  return "";
}

std::string ZshCompletion(const CLI::App& app) {
  const auto command_line = [](const CLI::App& command) {
    const std::string quoted = InQuotes(command.get_description());
    return absl::StrCat("    '", command.get_name(), ":", quoted.substr(1));
  };
  const auto command_options = [](const CLI::App& command) {
    return absl::StrCat("        ", command.get_name(), ") _arguments ", Join(Options(command), " ", ZshOption),
                        ZshArguments(command), " ;;");
  };
  const auto global = [](const CLI::Option& option) { return absl::StrCat("    ", ZshOption(option), " \\"); };
  return absl::StrReplaceAll(kZsh, {{"@COMMANDS@", Join(Commands(app), "\n", command_line)},
                                    {"@GLOBALS@", Join(Options(app), "\n", global)},
                                    {"@OPTIONS@", Join(Commands(app), "\n", command_options)}});
}

std::string FishOption(absl::string_view condition, const CLI::Option& option) {
  const std::string value = TakesFolder(option)   ? " -x -a '(__fish_complete_directories)'"
                            : TakesFile(option)   ? " -r -F"
                            : TakesTenant(option) ? " -x -a '(__kvctl_asked tenants --names)'"
                            : !ChoicesOf(option).empty()
                                ? absl::StrCat(" -x -a '", absl::StrJoin(ChoicesOf(option), " "), "'")
                            : TakesValue(option) ? " -x"
                                                 : "";
  return absl::StrCat("complete -c kvctl -n '", condition, "' -l ", option.get_lnames().front(), value, " -d ",
                      InQuotes(option.get_description()));
}

std::string FishCompletion(const CLI::App& app) {
  constexpr absl::string_view kNoCommand = "__fish_use_subcommand";
  const auto command_line = [&](const CLI::App& command) {
    return absl::StrCat("complete -c kvctl -n ", kNoCommand, " -a ", command.get_name(), " -d ",
                        InQuotes(command.get_description()));
  };
  const auto global = [&](const CLI::Option& option) { return FishOption(kNoCommand, option); };
  const auto command_options = [](const CLI::App& command) {
    const std::string condition = absl::StrCat("__fish_seen_subcommand_from ", command.get_name());
    return Join(Options(command), "\n", [&](const CLI::Option& option) { return FishOption(condition, option); });
  };
  return absl::StrReplaceAll(kFish, {{"@VALUED@", absl::StrJoin(ValuedOptions(app), " ")},
                                     {"@GLOBALS@", Join(Options(app), "\n", global)},
                                     {"@COMMANDS@", Join(Commands(app), "\n", command_line)},
                                     {"@OPTIONS@", Join(Commands(app), "\n", command_options)}});
}

}  // namespace

std::string RenderCompletion(const CLI::App& app, absl::string_view shell) {
  if (shell == "zsh") return ZshCompletion(app);
  if (shell == "fish") return FishCompletion(app);
  return BashCompletion(app);
}

Command::Text CompletionCommand::text() const {
  return {.name = "completion",
          .what = "Print the code that completes kvctl in a shell",
          .examples =
              "  source <(kvctl completion bash)\n"
              "  kvctl completion bash | sudo tee /usr/share/bash-completion/completions/kvctl > /dev/null\n"
              "  source <(kvctl completion zsh)\n"
              "  kvctl completion fish | source\n"};
}

void CompletionCommand::Declare(CLI::App& app) {
  app_ = app.get_parent();
  app.add_option("SHELL", shell_, "bash, zsh or fish")->required()->type_name("");
}

absl::Status CompletionCommand::Check() {
  if (shell_ == "bash" || shell_ == "zsh" || shell_ == "fish") return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("'", shell_, "' is no shell that kvctl knows: bash, zsh or fish"));
}

absl::Status CompletionCommand::Run(const Context& context) {
  context.console.out << RenderCompletion(*app_, shell_);
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
