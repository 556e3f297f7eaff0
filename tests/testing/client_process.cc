#include "tests/testing/client_process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/arena/arena.h"
#include "client/session/session.h"

namespace kvbroker {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(10);
constexpr Bytes kSlot = MiB(2);

int RunClient(const std::string& socket, uint64_t slots) {
  auto session = Session::Open({.tenant = "victim", .socket = socket});
  if (!session.ok()) return 2;
  auto arena = (*session)->CreateArena({.planes = {kSlot}, .slots = slots, .low = 0});
  if (!arena.ok() || !(*arena)->SetWant(slots).ok()) return 3;
  for (uint64_t i = 0; i < slots; ++i) {
    if (!(*arena)->WaitReady(1, kSoon).ok()) return 4;
    const uint64_t slot = *(*arena)->Take();
    std::memset(reinterpret_cast<void*>((*arena)->base(0) + slot * kSlot.in_bytes()), 1, kSlot.in_bytes());
  }
  std::printf("ready\n");
  std::fflush(stdout);
  for (;;) pause();
}

}  // namespace

ClientProcess::ClientProcess(const std::string& socket, uint64_t slots) {
  int ends[2] = {-1, -1};
  if (pipe(ends) != 0) std::perror("pipe");
  const std::string slots_text = absl::StrCat(slots);
  pid_ = fork();
  if (pid_ == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execl("/proc/self/exe", "client", "--client", socket.c_str(), slots_text.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  char line[16] = {};
  ready_ = read(ends[0], line, sizeof(line) - 1) > 0;
  close(ends[0]);
}

void ClientProcess::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::optional<int> RunAsClientProcess(int argc, char** argv) {
  uint64_t slots;
  if (argc != 4 || std::string(argv[1]) != "--client" || !absl::SimpleAtoi(argv[3], &slots)) return std::nullopt;
  return RunClient(argv[2], slots);
}

}  // namespace kvbroker
