#ifndef KVBROKER_CLIENT_SESSION_EVENT_QUEUE_H_
#define KVBROKER_CLIENT_SESSION_EVENT_QUEUE_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/bytes.h"
#include "common/base/unique_fd.h"

namespace kvbroker {

// Something the embedder may want to act on.
struct SessionEvent {
  enum class Kind {
    kTarget,      // the broker asks to hold no more than `bytes`; ready slots are given back by themselves. Or what
                  // else it says with that has changed
    kReady,       // slots of `arena` became ready
    kBrokerAway,  // the connection is lost: what is held stays usable, nothing grows
    kBrokerBack,
    kRefused,  // the broker refused something; `text` says what. Of an arena: also that its want can never be met
    kTrim,     // somebody lacks memory: let go of `bytes` of what is kept outside the arenas and not used, and report
  };
  Kind kind = Kind::kTarget;
  uint64_t arena = 0;          // 0: about no arena
  std::optional<Bytes> bytes;  // of kTarget, and of kTrim; none: no bound
  std::string text;            // for people

  // Of kTarget. By when: counted from Pop(), zero where that is past already. Infinite: no deadline.
  absl::Duration within = absl::InfiniteDuration();
  bool urgent = false;  // a request of somebody else waits for it
  // Cached content that nobody used for so long is better given up than kept by growing. Infinite: there is enough.
  absl::Duration eviction_age = absl::InfiniteDuration();
};

// The events an embedder has not asked for yet, and a descriptor that is readable while there are any. Bounded: a newer
// event of the same kind and arena takes the place of an older one. Thread-safe.
class EventQueue {
 public:
  EventQueue();

  int fd() const { return fd_.get(); }
  void Push(SessionEvent event) ABSL_LOCKS_EXCLUDED(mu_);
  std::optional<SessionEvent> Pop() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Queued {
    SessionEvent event;
    absl::Time since;
  };

  const UniqueFd fd_;
  absl::Mutex mu_;
  std::deque<Queued> events_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kvbroker

#endif  // KVBROKER_CLIENT_SESSION_EVENT_QUEUE_H_
