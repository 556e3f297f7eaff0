#include "tests/bench/cache_holder.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/testing/borrower.h"

namespace kvbroker {
CacheHolderProcess::CacheHolderProcess(const CacheHolder& holder) {
  std::vector<std::string> arguments = {"cache-holder",
                                        kCacheHolderFlag,
                                        holder.socket,
                                        holder.tenant,
                                        absl::StrCat(holder.slot.in_bytes()),
                                        absl::StrCat(holder.slots),
                                        absl::StrCat(absl::ToInt64Milliseconds(holder.answers_after))};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  if (posix_spawn(&pid_, "/proc/self/exe", nullptr, nullptr, argv.data(), environ) != 0) {
    std::perror("posix_spawn");
    std::exit(1);
  }
}

CacheHolderProcess::~CacheHolderProcess() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

int RunCacheHolder(int count, char** arguments) {
  if (count != 5) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const Borrower borrower({.socket = arguments[0],
                           .tenant = arguments[1],
                           .slot = Bytes(std::strtoull(arguments[2], nullptr, 10)),
                           .slots = std::strtoull(arguments[3], nullptr, 10),
                           .answers_after = absl::Milliseconds(std::atoi(arguments[4]))});
  for (;;) pause();
}

}  // namespace kvbroker
