#include "cli/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

namespace kvbroker::cli {

Signals::Signals() {
  sigset_t ours;
  sigemptyset(&ours);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH}) sigaddset(&ours, signal);
  pthread_sigmask(SIG_BLOCK, &ours, &before_);
  fd_.Reset(signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK));
}

Signals::~Signals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

Signals::Event Signals::Take() {
  signalfd_siginfo info;
  if (read(fd_.get(), &info, sizeof(info)) != sizeof(info)) return Event::kNone;
  if (info.ssi_signo == SIGWINCH) return Event::kResized;
  return info.ssi_signo == SIGTSTP ? Event::kSuspend : Event::kEnd;
}

}  // namespace kvbroker::cli
