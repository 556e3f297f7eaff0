#include "tests/replay/tenant_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace kvbroker::replay {
namespace {

// Where the process finds its end of the socket pair.
constexpr int kChannel = 3;

std::string HowItEnded(int status) {
  if (WIFSIGNALED(status)) return absl::StrCat("was ended by signal ", WTERMSIG(status));
  return absl::StrCat("ended with exit code ", WEXITSTATUS(status));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TenantProcess>> TenantProcess::Start(const std::vector<std::string>& arguments,
                                                                    size_t tenant) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return ErrnoToStatus(errno, "socketpair");
  UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  // dup2 onto itself would leave it to be closed by exec.
  if (theirs.get() == kChannel) theirs.Reset(fcntl(theirs.get(), F_DUPFD_CLOEXEC, kChannel + 1));

  std::vector<std::string> all = arguments;
  for (const std::string& extra :
       {std::string("--run-as"), absl::StrCat(tenant), std::string("--channel"), absl::StrCat(kChannel)}) {
    all.push_back(extra);
  }
  std::vector<char*> argv;
  for (std::string& argument : all) argv.push_back(argument.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), kChannel);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return ErrnoToStatus(error, "starting a tenant's process");
  return std::unique_ptr<TenantProcess>(new TenantProcess(pid, std::move(ours)));
}

TenantProcess::~TenantProcess() {
  if (pid_ == 0) return;
  kill(pid_, SIGTERM);
  Wait().IgnoreError();
}

absl::StatusOr<Message> TenantProcess::Receive(MonotonicTime until) {
  for (;;) {
    if (const size_t end = received_.find('\n'); end != std::string::npos) {
      KVB_ASSIGN_OR_RETURN(Message message, ParseLine(received_.substr(0, end)));
      received_.erase(0, end + 1);
      if (const auto* failure = std::get_if<Failure>(&message)) return absl::UnavailableError(failure->text);
      return message;
    }
    const absl::Duration left = std::max(absl::ZeroDuration(), until - MonotonicNow());
    pollfd ready{.fd = channel_.get(), .events = POLLIN, .revents = 0};
    const int n = poll(&ready, 1, static_cast<int>(absl::ToInt64Milliseconds(std::min(left, absl::Hours(1)))));
    if (n == 0 && MonotonicNow() >= until) return absl::DeadlineExceededError("it has said nothing in time");
    if (n <= 0) continue;
    char buffer[65536];
    const ssize_t size = read(channel_.get(), buffer, sizeof(buffer));
    if (size > 0) received_.append(buffer, static_cast<size_t>(size));
    if (size == 0 || (size < 0 && errno != EINTR)) {
      const absl::Status status = Wait();
      return absl::UnavailableError(status.ok() ? "it ended without a result" : std::string(status.message()));
    }
  }
}

absl::Status TenantProcess::SayStart(MonotonicTime start) {
  const std::string line = absl::StrCat(absl::ToInt64Nanoseconds(start), "\n");
  if (send(channel_.get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
    return ErrnoToStatus(errno, "telling a tenant's process to start");
  }
  return absl::OkStatus();
}

absl::Status TenantProcess::Wait() {
  if (pid_ == 0) return absl::OkStatus();
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::UnavailableError(HowItEnded(status));
}

}  // namespace kvbroker::replay
