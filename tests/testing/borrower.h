#ifndef KVBROKER_TESTS_TESTING_BORROWER_H_
#define KVBROKER_TESTS_TESTING_BORROWER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/arena/arena.h"
#include "client/session/session.h"
#include "common/base/bytes.h"

namespace kvbroker {

// An engine as far as memory goes, in a thread of its own: it takes all it is given up to `slots`, says what it is to it,
// and gives back what it is asked for.
//
// Thread-safe.
class Borrower {
 public:
  struct Options {
    std::string socket;  // the broker's
    std::string tenant;
    Bytes slot = MiB(2);
    uint64_t slots = 0;                    // wanted
    std::optional<size_t> cached_age = 3;  // all of it is cache of this age class; none: it is in use
    std::optional<absl::Duration> answers_after = absl::ZeroDuration();  // none: it never answers
    Bytes progress_floor;
  };

  explicit Borrower(const Options& options);
  // Gives everything back and ends the session.
  ~Borrower();

  void Want(uint64_t slots, uint64_t min_useful = 0);
  uint64_t held() const { return held_.load(); }  // slots
  uint64_t session_id() const { return session_->info().session_id; }
  // The newest refusal it was told; "" before the first.
  std::string refusal() const;

 private:
  void Run();
  void TakeAll();
  void HoldAtMost(Bytes bytes);
  void Report();

  const Options options_;
  const std::unique_ptr<Session> session_;
  const std::unique_ptr<Arena> arena_;
  std::vector<uint64_t> taken_;  // the thread's
  std::atomic<uint64_t> held_{0};
  std::atomic<bool> stopping_{false};
  mutable absl::Mutex mu_;
  std::string refusal_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace kvbroker

#endif  // KVBROKER_TESTS_TESTING_BORROWER_H_
