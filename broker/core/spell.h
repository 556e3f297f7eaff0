#ifndef KVBROKER_BROKER_CORE_SPELL_H_
#define KVBROKER_BROKER_CORE_SPELL_H_

#include <optional>

#include "absl/time/time.h"
#include "broker/policy/policy.h"
#include "common/base/bytes.h"

namespace kvbroker {

// What a tenant has for a while at the cost of others: the turn, or a higher class. After a whole one, of kLongestTurn, it
// rests for as long. Plain values, no I/O. Thread-compatible.
class Spell {
 public:
  // REQUIRES: it does not run.
  void Begin(Bytes need, absl::Time now) {
    since_ = now;
    need_ = need;
  }
  // REQUIRES: it runs.
  void End(absl::Time now) {
    if (age(now) >= kLongestTurn) rests_until_ = now + kLongestTurn;
    since_.reset();
  }
  // The machine slept meanwhile.
  void Extend(absl::Duration gap) {
    if (running()) *since_ += gap;
    rests_until_ += gap;
  }

  bool running() const { return since_.has_value(); }
  bool rests(absl::Time now) const { return now < rests_until_; }
  // Of one that runs: for how long, and for what it began.
  absl::Duration age(absl::Time now) const { return now - *since_; }
  Bytes need() const { return need_; }

 private:
  std::optional<absl::Time> since_;
  Bytes need_;
  absl::Time rests_until_ = absl::InfinitePast();
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_SPELL_H_
