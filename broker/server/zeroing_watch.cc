#include "broker/server/zeroing_watch.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/strip.h"
#include "common/base/clock.h"
#include "common/base/status.h"

namespace kvbroker {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);  // a busy GPU makes a context in half a second

}  // namespace

std::unique_ptr<ZeroingWatch> ZeroingWatch::Start(const Options& options, EventLoop& loop, Done done) {
  std::unique_ptr<ZeroingWatch> watch(new ZeroingWatch(options, loop, std::move(done)));
  std::string seen;
  std::ifstream(options.record) >> seen;
  const absl::Status begun = seen == options.boot_id ? absl::OkStatus() : watch->Spawn();
  // From the loop, as it is said.
  if (watch->child_ < 0) loop.Post([done = watch->done_, begun] { done(begun); });
  return watch;
}

ZeroingWatch::ZeroingWatch(const Options& options, EventLoop& loop, Done done)
    : options_(options), loop_(loop), done_(std::move(done)) {}

ZeroingWatch::~ZeroingWatch() {
  if (child_ < 0) return;
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
  loop_.Unwatch(pidfd_.get());
  loop_.Cancel(timeout_);
}

absl::Status ZeroingWatch::Spawn() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoToStatus(errno, "pipe");
  said_ = UniqueFd(ends[0]);
  const UniqueFd out(ends[1]);
  // What the child leaves behind may keep the other end open.
  if (fcntl(said_.get(), F_SETFL, O_NONBLOCK) != 0) return ErrnoToStatus(errno, "fcntl O_NONBLOCK");

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, out.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, out.get(), STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;  // the broker's threads block those that end it
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::vector<std::string> arguments = {"kvbrokerd", "--check-zeroing", "--device", options_.device};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int failed = posix_spawn(&child_, "/proc/self/exe", &files, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) {
    child_ = -1;
    return ErrnoToStatus(failed, "posix_spawn");
  }

  pidfd_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, child_, 0)));
  absl::Status watched =
      pidfd_.valid() ? loop_.Watch(pidfd_.get(), [this] { Ended(); }) : ErrnoToStatus(errno, "pidfd_open");
  if (!watched.ok()) {
    kill(child_, SIGKILL);
    waitpid(std::exchange(child_, -1), nullptr, 0);
    return watched;
  }
  timeout_ = loop_.At(MonotonicNow() + kPatience, [this] {
    if (child_ > 0) kill(child_, SIGKILL);
  });
  return absl::OkStatus();
}

void ZeroingWatch::Ended() {
  int status = 0;
  waitpid(std::exchange(child_, -1), &status, 0);
  loop_.Unwatch(pidfd_.get());
  loop_.Cancel(timeout_);
  char text[512] = {};
  [[maybe_unused]] const ssize_t n = read(said_.get(), text, sizeof(text) - 1);  // all of it: it fits into a pipe
  const absl::string_view why = absl::StripTrailingAsciiWhitespace(text);
  if (!WIFEXITED(status)) return done_(absl::DeadlineExceededError("the process that tried it was ended"));
  if (WEXITSTATUS(status) == kExitNotZeroed) return done_(absl::DataLossError(why));
  if (WEXITSTATUS(status) != 0) return done_(absl::UnavailableError(why));
  // Where it cannot be kept, it is tried again.
  std::ofstream(options_.record) << options_.boot_id << "\n";
  done_(absl::OkStatus());
}

}  // namespace kvbroker
