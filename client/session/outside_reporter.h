#ifndef KVBROKER_CLIENT_SESSION_OUTSIDE_REPORTER_H_
#define KVBROKER_CLIENT_SESSION_OUTSIDE_REPORTER_H_

#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/bytes.h"
#include "proto/engine.pb.h"

namespace kvbroker {

// What the embedder says that its process has of the device outside its arenas, and when the broker is to be told: when it has
// changed, but no sooner than kPause after it was told last; and another broker anew. Only brokers that know the message
// are told.
//
// Thread-safe.
class OutsideReporter {
 public:
  static constexpr absl::Duration kPause = absl::Milliseconds(50);

  void Set(Bytes bytes, Bytes trimmable) ABSL_LOCKS_EXCLUDED(mu_);
  // A broker is there, and knows nothing yet.
  void Connected(const v1::Welcome& welcome) ABSL_LOCKS_EXCLUDED(mu_);

  // What to tell the broker now; it counts as told. None: nothing.
  std::optional<v1::External> Take(absl::Time now) ABSL_LOCKS_EXCLUDED(mu_);
  // When to ask again, whatever happens meanwhile.
  absl::Time next() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  mutable absl::Mutex mu_;
  std::optional<v1::External> newest_ ABSL_GUARDED_BY(mu_);
  bool is_known_ ABSL_GUARDED_BY(mu_) = false;  // to this broker, the message
  bool is_due_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t revision_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Time told_at_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
};

}  // namespace kvbroker

#endif  // KVBROKER_CLIENT_SESSION_OUTSIDE_REPORTER_H_
