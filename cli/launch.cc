// Runs a program that knows nothing of the broker, once there is room for what it will allocate.
//
//   $ kvctl launch --room 22GiB -- python serve.py --port 8000
//   waiting for room: 22.0 GiB
//   …

#include "cli/launch.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/amount.h"
#include "cli/child.h"
#include "cli/format.h"
#include "common/base/status.h"
#include "common/base/unique_fd.h"

namespace kvbroker::cli {
namespace {

constexpr char kDefaultTenant[] = "launch";
constexpr absl::Duration kShortest = absl::Milliseconds(100);
constexpr absl::Duration kLongestWait = absl::Hours(24);
constexpr absl::Duration kLongestTtl = absl::Hours(24 * 30);
constexpr int kTurnMs = 200;  // between two looks of the progress line
constexpr int kExitCannotRun = 126;
constexpr int kExitNoProgram = 127;  // as shells have them
constexpr char kClearLine[] = "\r\x1b[K";

// What a room that is waited for looks like: a line, kept up to date on a terminal.
class Progress {
 public:
  Progress(const Console& console, Bytes room)
      : console_(console), room_(FormatSize(room.in_bytes())), since_(absl::Now()) {
    if (!console_.err_live) console_.err << "waiting for room: " << room_ << std::endl;
  }

  bool live() const { return console_.err_live; }
  void Show() { Redraw(absl::StrCat("waiting for room: ", room_, ", ", Elapsed())); }
  void ShowReady() { Redraw(absl::StrCat("room is ready: ", room_, ", after ", Elapsed(), "\n")); }
  void Clear() { Redraw(""); }

 private:
  std::string Elapsed() const {
    return FormatDuration(static_cast<uint64_t>(absl::ToInt64Milliseconds(absl::Now() - since_)));
  }
  void Redraw(const std::string& line) {
    if (live()) console_.err << kClearLine << line << std::flush;
  }

  const Console& console_;
  const std::string room_;
  const absl::Time since_;
};

// Waits on a thread of its own, so that signals and the terminal are answered meanwhile.
absl::Status AwaitRoom(RoomSession& session, Bytes room, absl::Duration timeout, absl::Duration ttl, Child& child,
                       const Console& console) {
  const UniqueFd done(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!done.valid()) return ErrnoToStatus(errno, "eventfd");
  Progress progress(console, room);
  absl::Status status;
  std::thread waiter([&] {
    pthread_setname_np(pthread_self(), "kvctl-room");
    status = session.Reserve(room, timeout, ttl);
    eventfd_write(done.get(), 1);
  });
  pollfd events[] = {{.fd = done.get(), .events = POLLIN, .revents = 0},
                     {.fd = child.fd(), .events = POLLIN, .revents = 0}};
  while (events[0].revents == 0) {
    progress.Show();
    poll(events, 2, progress.live() ? kTurnMs : -1);
    child.DieOfSignals([&] { progress.Clear(); });
  }
  waiter.join();
  if (status.ok()) {
    progress.ShowReady();
  } else {
    progress.Clear();
  }
  return status;
}

// As far as the user may ask the broker.
std::string InTheWay(const Where& where) {
  const absl::StatusOr<Connection> broker = Connection::Open(where);
  if (!broker.ok()) return "";
  const auto status = broker->Ask(&admin::v1::Admin::Stub::GetStatus, admin::v1::GetStatusRequest());
  return status.ok() ? absl::StrCat("; ", RenderInTheWay(status->memory())) : "";
}

absl::Status SetTime(absl::string_view option, const std::string& text, absl::Duration longest, absl::Duration& time) {
  const absl::StatusOr<absl::Duration> parsed = ParseTime(text, kShortest, longest);
  if (!parsed.ok()) return absl::InvalidArgumentError(absl::StrCat(option, ": ", parsed.status().message()));
  time = *parsed;
  return absl::OkStatus();
}

}  // namespace

std::string RenderInTheWay(const admin::v1::Memory& memory) {
  const std::string asked =
      memory.asked_back() == 0 ? "" : absl::StrCat(" (", FormatSize(memory.asked_back()), " of it asked back)");
  return absl::StrCat("of ", FormatSize(memory.total()), ", ", FormatSize(memory.granted()), " are granted to sessions",
                      asked, ", ", FormatSize(memory.room()), " held back for rooms, ",
                      FormatSize(memory.used_by_others()), " used by others");
}

Command::Text LaunchCommand::text() const {
  return {.name = "launch",
          .what = "Wait until there is room on the device, then run a command in it",
          .examples = absl::StrCat(
              "  kvctl launch --room SIZE [OPTIONS] -- COMMAND [ARGUMENTS]\n"
              "  kvctl launch --room 22GiB -- python serve.py --port 8000\n"
              "  kvctl launch --room 22GiB --tenant chat --timeout 5m -- vllm serve my-model\n"
              "For a program that knows nothing of the broker: others give back what they can spare, and the\n"
              "room is held back from them for as long as COMMAND runs. It stands behind --, keeps the\n"
              "terminal, standard input and output, and the environment as they are, and gets SIGINT,\n"
              "SIGTERM, SIGHUP and SIGQUIT that kvctl gets. If kvctl is killed, the room is given up.\n"
              "Exit codes: what COMMAND exits with, or 128 and the signal that ended it; 1 no room, 2 usage,\n"
              "126 COMMAND cannot be run, 127 there is none.\n",
              kSizesHelp)};
}

void LaunchCommand::Declare(CLI::App& app) {
  app.add_option("--room", room_text_, "How much the command will allocate, as 22GiB")->required()->type_name("SIZE");
  app.add_option("--tenant", tenant_, absl::StrCat("On whose account; default ", kDefaultTenant))->type_name("TENANT");
  app.add_option("--timeout", timeout_text_, "How long to wait for it, as 5m or seconds; default 60s")
      ->type_name("TIME");
  app.add_option("--ttl", ttl_text_, "Give up what it has not used so long after it is ready; default never")
      ->type_name("TIME");
}

absl::Status LaunchCommand::Check() {
  const absl::StatusOr<Bytes> room = ParseBytes(room_text_);
  if (!room.ok()) return absl::InvalidArgumentError(absl::StrCat("--room: ", room.status().message()));
  if (room->IsZero()) return absl::InvalidArgumentError(absl::StrCat("--room: '", room_text_, "' is no room"));
  room_ = *room;
  if (tenant_.has_value() && tenant_->empty()) {
    return absl::InvalidArgumentError("--tenant: '' is no name of a tenant");
  }
  KVB_RETURN_IF_ERROR(SetTime("--timeout", timeout_text_, kLongestWait, timeout_));
  if (ttl_text_.has_value()) KVB_RETURN_IF_ERROR(SetTime("--ttl", *ttl_text_, kLongestTtl, ttl_));
  if (words_.empty()) {
    return absl::InvalidArgumentError(
        "nothing to run is given: it stands behind --, as in kvctl launch --room 22GiB -- python serve.py");
  }
  return absl::OkStatus();
}

absl::Status LaunchCommand::Run(const Context& context) {
  // Before anybody has to give anything back for it.
  const absl::StatusOr<std::string> program = FindProgram(words_.front());
  if (!program.ok()) {
    exit_code_ = absl::IsNotFound(program.status()) ? kExitNoProgram : kExitCannotRun;
    return program.status();
  }
  Child child;
  const std::string engine = absl::StrCat("kvctl launch: ", std::filesystem::path(words_.front()).filename().string());
  absl::StatusOr<std::unique_ptr<RoomSession>> session = open_(context.where, tenant_.value_or(kDefaultTenant), engine);
  if (!session.ok()) {
    const bool may_be_the_tenant = absl::IsNotFound(session.status()) && !tenant_.has_value() &&
                                   absl::StrContains(session.status().message(), "tenant");
    return {session.status().code(),
            absl::StrCat(session.status().message(), may_be_the_tenant ? "; say which with --tenant" : "")};
  }
  const absl::Status ready = AwaitRoom(**session, room_, timeout_, ttl_, child, context.console);
  if (absl::IsDeadlineExceeded(ready)) {
    return absl::DeadlineExceededError(absl::StrCat(ready.message(), InTheWay(context.where)));
  }
  if (!ready.ok()) return ready;
  context.console.out.flush();
  if (const absl::Status started = child.Start(*program, words_); !started.ok()) {
    exit_code_ = absl::IsNotFound(started) ? kExitNoProgram : kExitCannotRun;
    return started;
  }
  exit_code_ = child.Wait();
  return absl::OkStatus();
}

int LaunchCommand::ExitCode(const absl::Status& done) const { return exit_code_.value_or(Command::ExitCode(done)); }

}  // namespace kvbroker::cli
