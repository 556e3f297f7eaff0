#ifndef KVBROKER_BROKER_SERVER_EVENT_LOOP_H_
#define KVBROKER_BROKER_SERVER_EVENT_LOOP_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/unique_fd.h"

namespace kvbroker {

// One thread's epoll loop: descriptors, timers, and work that other threads post. Everything the broker decides happens
// on it, so that what it touches needs no lock.
//
// Thread-bound to the thread that calls Run(), but for Post(), Call() and Stop(), which any thread may call.
class EventLoop {
 public:
  using Task = std::function<void()>;
  using TimerId = uint64_t;

  static absl::StatusOr<std::unique_ptr<EventLoop>> Create();

  // Until Stop(). Tasks posted before Stop() are still done.
  void Run();
  void Stop();

  // Calls `ready` whenever `fd` is readable or closed. `fd` is borrowed until Unwatch().
  absl::Status Watch(int fd, Task ready);
  // `fd`'s callback is not called again, even where it is ready already.
  void Unwatch(int fd);

  // Calls `task` once, at `when` of MonotonicNow() or soon after.
  TimerId At(absl::Time when, Task task);
  void Cancel(TimerId timer);

  // Does `task` on the loop, soon, in the order of posting.
  void Post(Task task) ABSL_LOCKS_EXCLUDED(mu_);
  // Does `task` on the loop and waits for it. False: the loop has ended, and it was not done.
  bool Call(absl::FunctionRef<void()> task) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  EventLoop(UniqueFd epoll, UniqueFd wake);

  void RunPosted() ABSL_LOCKS_EXCLUDED(mu_);
  void RunTimers();
  void WakeUp();
  int WaitMilliseconds() const;

  const UniqueFd epoll_;
  const UniqueFd wake_;
  bool stopping_ = false;
  std::map<int, std::shared_ptr<Task>> watched_;
  std::map<std::pair<absl::Time, TimerId>, Task> timers_;
  TimerId next_timer_ = 1;

  absl::Mutex mu_;
  std::vector<Task> posted_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_EVENT_LOOP_H_
