// Taking and returning a mapped slot makes no system call: the kernel counts them for us.

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>

#include "client/arena/arena.h"
#include "client/session/session.h"
#include "gtest/gtest.h"
#include "tests/testing/broker_process.h"

namespace kvbroker {
namespace {

std::atomic<int> g_system_calls{0};
std::atomic<bool> g_counting{false};

// A trapped call does nothing and is counted, while counting is on.
void OnTrap(int, siginfo_t*, void*) {
  if (g_counting.load()) g_system_calls.fetch_add(1);
}

// From here on every system call of this thread traps, but for pause().
void TrapSystemCallsOfThisThread() {
  struct sigaction action = {};
  action.sa_sigaction = &OnTrap;
  action.sa_flags = SA_SIGINFO;
  ASSERT_EQ(sigaction(SIGSYS, &action, nullptr), 0);
  ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  const auto allow = [](uint32_t number) { return sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1); };
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      allow(SYS_pause),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      allow(SYS_rt_sigreturn),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
  };
  const sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};
  ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

// How many system calls `work` makes, each of them doing nothing. Its thread pauses afterwards, until the process ends:
// a thread cannot end without system calls.
template <typename Work>
int SystemCallsOf(Work work) {
  g_system_calls = 0;
  static std::atomic<bool> done;
  done = false;
  std::thread([work] {
    TrapSystemCallsOfThisThread();
    g_counting = true;
    work();
    g_counting = false;
    done = true;
    for (;;) pause();
  }).detach();
  EXPECT_TRUE(Eventually(absl::Seconds(10), [] { return done.load(); }));
  return g_system_calls;
}

TEST(NoSystemCallTest, TakingAndReturningMappedSlotsMakesNone) {
  const auto broker = BrokerProcess::Start({"--host-memory", "256MiB"});
  auto session = *Session::Open({.tenant = "a", .socket = broker->engine_socket()});
  auto arena = *session->CreateArena({.planes = {MiB(2)}, .slots = 100, .low = 2, .high = 100});
  ASSERT_TRUE(arena->SetWant(100).ok() && arena->WaitReady(100, absl::Seconds(10)).ok());
  uint64_t taken = 0;

  const int calls = SystemCallsOf([&] {
    uint64_t slots[50];
    for (int round = 0; round < 1000; ++round) {
      for (uint64_t& slot : slots) {
        const std::optional<uint64_t> one = arena->Take();
        if (!one.has_value()) return;
        slot = *one;
        ++taken;
      }
      for (const uint64_t slot : slots) arena->Return(slot).IgnoreError();
    }
  });

  EXPECT_EQ(calls, 0);
  EXPECT_EQ(taken, 50'000u);
}

TEST(NoSystemCallTest, FallingBelowTheLowMarkMakesOne) {
  const auto broker = BrokerProcess::Start({"--host-memory", "64MiB", "--tenant", "a=8MiB"});
  auto session = *Session::Open({.tenant = "a", .socket = broker->engine_socket()});
  auto arena = *session->CreateArena({.planes = {MiB(2)}, .slots = 100, .low = 4, .high = 4});
  ASSERT_TRUE(arena->WaitReady(4, absl::Seconds(10)).ok());
  // The wake itself is trapped: the background thread stays asleep, and is not woken twice for the same.
  EXPECT_EQ(SystemCallsOf([&] {
              for (int i = 0; i < 3; ++i) arena->Take();
            }),
            1);
}

}  // namespace
}  // namespace kvbroker
