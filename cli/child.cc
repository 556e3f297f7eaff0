#include "cli/child.h"

#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace kvbroker::cli {
namespace {

constexpr int kEnding[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

bool IsIgnored(int signal) {
  struct sigaction action;
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

bool IsFile(const std::string& path) {
  struct stat file;
  return stat(path.c_str(), &file) == 0 && !S_ISDIR(file.st_mode);
}

absl::Status NotExecutable(const std::string& path) {
  return absl::PermissionDeniedError(absl::StrCat("'", path, "' may not be run: it is not executable"));
}

}  // namespace

absl::StatusOr<std::string> FindProgram(const std::string& word) {
  if (word.find('/') != std::string::npos) {
    if (!IsFile(word)) return absl::NotFoundError(absl::StrCat("no program '", word, "'"));
    if (access(word.c_str(), X_OK) != 0) return NotExecutable(word);
    return word;
  }
  const char* path = getenv("PATH");
  std::string forbidden;
  for (const absl::string_view folder : absl::StrSplit(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
    const std::string file = absl::StrCat(folder.empty() ? "." : folder, "/", word);
    if (word.empty() || !IsFile(file)) continue;
    if (access(file.c_str(), X_OK) == 0) return file;
    if (forbidden.empty()) forbidden = file;
  }
  if (!forbidden.empty()) return NotExecutable(forbidden);
  return absl::NotFoundError(absl::StrCat("no program '", word, "' in $PATH"));
}

Child::Child() {
  sigset_t ours;
  sigemptyset(&ours);
  sigemptyset(&defaults_);
  // Ignored ones stay so (nohup): blocked, they would come.
  for (const int signal : kEnding) {
    if (!IsIgnored(signal)) sigaddset(&ours, signal);
  }
  sigaddset(&ours, SIGCHLD);
  if (IsIgnored(SIGCHLD)) signal(SIGCHLD, SIG_DFL);  // else there is nothing to wait for
  // Libraries ignore it; a program in a pipeline is to end of it.
  if (!IsIgnored(SIGPIPE)) sigaddset(&defaults_, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &ours, &before_);
  fd_.Reset(signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK));
}

Child::~Child() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

std::optional<int> Child::TakeSignal() {
  signalfd_siginfo info;
  while (read(fd_.get(), &info, sizeof(info)) == sizeof(info)) {
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGCHLD) continue;
    if (pid_ < 0) return signal;
    // What the terminal sends reaches the whole group.
    if (info.ssi_code != SI_KERNEL || getpgid(pid_) != getpgrp()) kill(pid_, signal);
  }
  return std::nullopt;
}

void Child::DieOf(int number) {
  signal(number, SIG_DFL);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  raise(number);
  _exit(128 + number);
}

absl::Status Child::Start(const std::string& program, const std::vector<std::string>& words) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  const absl::Cleanup destroy = [&] { posix_spawnattr_destroy(&attributes); };
  posix_spawnattr_setsigmask(&attributes, &before_);
  posix_spawnattr_setsigdefault(&attributes, &defaults_);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const int error = posix_spawn(&pid_, program.c_str(), nullptr, &attributes, argv.data(), environ);
  if (error == 0) return absl::OkStatus();
  pid_ = -1;
  const std::string message = absl::StrCat("'", program, "' cannot be run: ", std::strerror(error));
  return error == ENOENT ? absl::NotFoundError(message) : absl::PermissionDeniedError(message);
}

int Child::Wait() {
  while (true) {
    TakeSignal();
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    pollfd event = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
    poll(&event, 1, -1);
  }
}

}  // namespace kvbroker::cli
