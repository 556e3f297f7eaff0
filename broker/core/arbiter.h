#ifndef KVBROKER_BROKER_CORE_ARBITER_H_
#define KVBROKER_BROKER_CORE_ARBITER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "broker/core/device_view.h"
#include "broker/core/effect.h"
#include "broker/core/event.h"
#include "broker/core/ledger.h"
#include "broker/core/report.h"
#include "broker/core/tenants.h"
#include "broker/policy/policy.h"
#include "common/base/arena_bounds.h"
#include "common/base/bytes.h"

namespace kvbroker {

// The broker's whole mind: one deterministic step function. An event and the time go in, effects come out, and whoever
// drives it (the daemon, the simulator, a fuzzer) carries them out in order. It does no I/O, reads no clock and starts
// no thread; the same events give the same effects.
//
// An event that a client caused and that cannot be followed changes nothing and is answered with an error.
//
// Thread-compatible.
//
//   Arbiter arbiter(options, policy);
//   for (const Effect& effect : arbiter.Step(event::Hello{...}, now)) Perform(effect);
class Arbiter {
 public:
  struct Options {
    DeviceView::Options device;
    std::string device_uuid;
    Bytes granularity = MiB(2);
    std::map<std::string, TenantPolicy> tenants;
    std::optional<TenantPolicy> other_tenants;  // none: they are refused
  };

  // Bounds on what clients can make the broker keep, besides arena_bounds.h.
  static constexpr size_t kMostSessions = 1024;
  static constexpr size_t kMostArenas = 64;          // of one session
  static constexpr uint64_t kBatchDescriptors = 64;  // of one batch, or one slot's where that is more

  // `policy` is not owned and must outlive this.
  Arbiter(const Options& options, const Policy& policy);

  std::vector<Effect> Step(const Event& event, absl::Time now);

  BrokerReport Report(absl::Time now) const;

  // What must hold after every step, and how it does not. For tests, and for a metric in production.
  absl::Status CheckInvariants() const;

 private:
  void On(const event::Hello& hello);
  void On(const event::ArenaOpen& open);
  void On(const event::ArenaClose& close);
  void On(const event::Want& want);
  void On(const event::Fetch& fetch);
  void On(const event::Confirm& confirm);
  void On(const event::Nack& nack);
  void On(const event::Released& released);
  void On(const event::Remark&) {}
  void On(const event::Unsupported& unsupported);
  void On(const event::Poisoned& poisoned);
  void On(const event::Goodbye& goodbye);
  void On(const event::ConnectionLost& lost);
  void On(const event::ProcessEnded& ended);
  void On(const event::Made& made);
  void On(const event::MakeFailed& failed);
  void On(const event::DeviceSample& sample);
  void On(const event::SetLimit& set);

  // Null where there is no such session, or it is active no more: messages that were on their way then are nobody's
  // fault.
  SessionRecord* ActiveSession(SessionId id);
  // Null where there is no such lease, it is another session's, or its arena is closed.
  Lease* OpenLease(const SessionRecord& session, LeaseId id);
  // Whether there was such a lease, and its arena is closed.
  bool IsClosed(const SessionRecord& session, LeaseId id) const;
  // As OpenLease, for a frame of the hand-over channel; the client is told where null is returned. But arenas are
  // closed on the control channel, and a frame that comes too late for one is nobody's fault.
  Lease* LeaseOfFrame(const SessionRecord& session, LeaseId id);
  // Whether a Hello tells that this session's process comes anew and has it no more.
  bool Supersedes(const event::Hello& hello, const SessionRecord& session) const;

  absl::Status CheckHello(const event::Hello& hello) const;
  absl::Status CheckArena(const ArenaDescription& arena) const;
  // Refuses the message, and tells the client.
  void RefuseMessage(const SessionRecord& session, ArenaId arena, absl::Status status);
  // As above for a frame of the hand-over channel: the connection ends.
  void RefuseFrame(const SessionRecord& session, absl::Status status);

  bool ConfirmBatch(SessionRecord& session, Lease& lease, BatchId batch);
  void AnswerFetch(Lease& lease);
  void NothingToFetch(const SessionRecord& session, LeaseId lease);
  // Takes back what the client has not, or may not have.
  void StopHandingOver(SessionRecord& session);
  void Abandon(Lease& lease);
  void Drain(SessionRecord& session, absl::string_view why);
  void NoteReturned(LeaseId lease, uint64_t slots);
  // Lets go of made slots that were never handed over; they are returned by now.
  void Discard(LeaseId lease, uint64_t slots);
  void CreditReturned();
  void RemoveWhatEnded();

  PolicySnapshot Snapshot() const;
  void Replan();
  void StartMaking(Lease& lease, uint64_t slots);
  void RetryStarved();
  void Warn(std::string text);
  void Inform(std::string text);

  template <typename E>
  void Emit(E effect) {
    effects_.emplace_back(std::move(effect));
  }

  const Options options_;
  const Policy& policy_;  // Not owned; must outlive this.

  DeviceView device_;
  Ledger ledger_;
  Tenants tenants_;
  BrokerCounters counters_;
  uint64_t next_session_ = 1;
  uint64_t next_wait_ = 1;
  absl::Duration sample_backoff_;
  bool adopted_ = false;  // a client brought memory along: the cap may be exceeded without fault of ours

  // Of the step that is being taken.
  absl::Time now_;
  std::vector<Effect> effects_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_ARBITER_H_
