#include "client/arena/fork_guard.h"

#include <pthread.h>
#include <unistd.h>

#include <array>

namespace kvbroker {
namespace {

// A plain array of atomics: nothing in a child may take a lock that another thread of the parent held.
// Empty places are 0, others a descriptor and one.
std::array<std::atomic<int>, 256> g_close_in_children;

}  // namespace

std::atomic<unsigned> ForkGuard::generation_{0};

ForkGuard::ForkGuard() : made_in_(generation_.load(std::memory_order_relaxed)) {
  [[maybe_unused]] static const int registered = pthread_atfork(nullptr, nullptr, &ForkGuard::InChild);
}

absl::Status ForkGuard::Check() const {
  if (!forked()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "kvbroker was opened before this process was forked: open a session of its own here");
}

void ForkGuard::InChild() {
  generation_.fetch_add(1, std::memory_order_relaxed);
  for (std::atomic<int>& fd : g_close_in_children) {
    if (const int place = fd.exchange(0); place > 0) close(place - 1);
  }
}

void ForkGuard::CloseInChildren(int fd) {
  for (std::atomic<int>& place : g_close_in_children) {
    int empty = 0;
    if (place.compare_exchange_strong(empty, fd + 1)) return;
  }
}

void ForkGuard::Forget(int fd) {
  for (std::atomic<int>& place : g_close_in_children) {
    int held = fd + 1;
    if (place.compare_exchange_strong(held, 0)) return;
  }
}

}  // namespace kvbroker
