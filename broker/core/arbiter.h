#ifndef KVBROKER_BROKER_CORE_ARBITER_H_
#define KVBROKER_BROKER_CORE_ARBITER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "broker/core/accounts.h"
#include "broker/core/device_view.h"
#include "broker/core/effect.h"
#include "broker/core/event.h"
#include "broker/core/ledger.h"
#include "broker/core/report.h"
#include "broker/core/rooms.h"
#include "broker/core/stuck_watch.h"
#include "broker/core/tenant_access.h"
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
    std::map<std::string, TenantPolicy> set_tenants;  // by operators before, at run time; wins over `tenants`
    uint64_t policy_revision = 0;                     // of these
    std::optional<TenantPolicy> other_tenants;        // none: they are refused
    AccessRules access;
    bool admits = true;         // new sessions
    bool require_zero = false;  // more than one user is served only where the device was seen to zero what it gives out
    // Where nobody waits or is asked and the device is as it was, the policy is asked no more often than this.
    absl::Duration quiet_interval = absl::Seconds(1);
  };

  // An operator's wish, before it is carried out.
  struct TenantChange {
    std::string tenant;
    TenantPolicy policy;       // the whole of it
    bool create = false;       // a tenant that is not known is made known
    bool force = false;        // a limit below what one longest request needs
    uint64_t if_revision = 0;  // only while the policy is this one; 0: whichever it is
  };
  // All policies as they would be, to be kept before event::SetTenant.
  struct CheckedChange {
    uint64_t revision = 0;
    std::map<std::string, TenantPolicy> set_tenants;
  };

  // Bounds on what clients can make the broker keep, besides arena_bounds.h.
  static constexpr size_t kMostSessions = 1024;
  static constexpr size_t kMostSessionsOfUser = 256;
  static constexpr size_t kMostArenas = 64;          // of one session
  static constexpr uint64_t kBatchDescriptors = 64;  // of one batch, or one slot's where that is more

  // `policy` is not owned and must outlive this.
  Arbiter(const Options& options, const Policy& policy);

  std::vector<Effect> Step(const Event& event, absl::Time now);

  // NOT_FOUND: no such tenant, and it is not to be made known. FAILED_PRECONDITION: another revision, more assured to
  // all than there is, or a limit below the tenant's floor. INVALID_ARGUMENT: numbers that do not go together. Names
  // them.
  absl::StatusOr<CheckedChange> CheckTenantChange(const TenantChange& change) const;

  // NOT_FOUND: no such tenant. FAILED_PRECONDITION: another revision; more assured to all than there is, as configured;
  // a session is of it, which it names, and the configuration does not name it.
  absl::StatusOr<CheckedChange> CheckTenantDeletion(const std::string& tenant, uint64_t if_revision) const;
  // Before event::Squeeze. NOT_FOUND: no such tenant. FAILED_PRECONDITION: to less than what is reserved for it, which nobody
  // else could have; another trim of it is not over.
  absl::Status CheckSqueeze(const std::string& tenant, Bytes to) const;
  // Before event::Forget. NOT_FOUND: no such session. FAILED_PRECONDITION: it is active, or has ended already.
  absl::Status CheckForget(SessionId session) const;

  BrokerReport Report(absl::Time now) const;

  // What the policy would decide now, or if a tenant wanted or were promised something else.
  struct Simulation {
    PolicySnapshot snapshot;
    PolicyPlan plan;
  };
  Simulation PlanNow(absl::Time now) const;
  // NOT_FOUND: no such tenant. `want`: in all, bytes; of a tenant without an arena, as if it had one of slots of 32 MiB.
  absl::StatusOr<Simulation> Simulate(const std::string& tenant, std::optional<Bytes> want,
                                      const std::optional<TenantPolicy>& policy, absl::Time now) const;

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
  void On(const event::HoldingReport& report);
  void On(const event::ReserveExternal& reserve);
  void On(const event::ExternalSettled& settled);
  void On(const event::External& external);
  void On(const event::Remark&) {}
  void On(const event::Unsupported& unsupported);
  void On(const event::Poisoned& poisoned);
  void On(const event::Goodbye& goodbye);
  void On(const event::ConnectionLost& lost);
  void On(const event::ProcessEnded& ended);
  void On(const event::Made& made);
  void On(const event::MakeFailed& failed);
  void On(const event::DeviceSample& sample);
  void On(const event::DeviceLost& lost);
  void On(const event::ZeroingChecked& checked);
  void On(const event::Recovered& recovered);
  void On(const event::SetTenant& set);
  void On(const event::DeleteTenant& deleted);
  void On(const event::Squeeze& squeeze);
  void On(const event::Admission& admission);
  void On(const event::Forget& forget);
  void On(const event::Configured& configured);

  // An account that the journal has makes sense. INVALID_ARGUMENT names what does not.
  absl::Status CheckRecovered(const record::Lease& lease) const;
  // What this step has changed of the accounts is to be kept before anybody sees it.
  void Journal(bool planned);

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
  // Whether its process comes back with what it has, rather than for the first time.
  bool ComesBack(const event::Hello& hello) const;
  // Whether a Hello tells that this session's process comes anew and has it no more.
  bool Supersedes(const event::Hello& hello, const SessionRecord& session) const;

  absl::Status CheckHello(const event::Hello& hello) const;
  absl::Status CheckArena(const ArenaDescription& arena) const;
  // Refuses the message, and tells the client.
  void RefuseMessage(const SessionRecord& session, ArenaId arena, absl::Status status, uint64_t want_revision = 0);
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

  // --- arbiter_operators.cc: what operators ask for.
  // FAILED_PRECONDITION: the policy is another revision than this one, which is not 0.
  absl::Status CheckRevision(uint64_t if_revision) const;
  // FAILED_PRECONDITION: with this policy for that tenant, more would be assured to all together than there is, and more than
  // is now.
  absl::Status CheckAssured(const std::string& tenant, const TenantPolicy& policy) const;
  // Null where none is its.
  const SessionRecord* FirstSessionOf(absl::string_view tenant) const;
  // Those of tenants that came down, and those whose time is over.
  void EndSqueezes();
  // To all of the tenant's sessions.
  void TellPolicy(const std::string& tenant, const TenantPolicy& policy);

  // --- arbiter_plan.cc: what the policy sees, and what follows from what it says.
  PolicySnapshot Snapshot(absl::Time now) const;
  void Replan();
  // Whether another plan may be due though nothing happens: deadlines, ageing, turns.
  bool TimeMatters(const PolicySnapshot& snapshot) const;
  void NoteWaiting();
  void CarryOut(const PolicyPlan& plan);
  // What the client has not fetched yet costs nobody anything to give back.
  void TakeBackUnfetched(SessionRecord& session, Bytes max);
  void Tell(SessionRecord& session, const PolicyPlan::Target& target, const PolicyPlan& plan);
  void ForgetImpossibleWants(const PolicySnapshot& snapshot, const PolicyPlan& plan);
  // Whose turn it is, and who is raised.
  void NoteSpells(const PolicySnapshot& snapshot, const PolicyPlan& plan);
  // Since when somebody is short who waits for trims.
  void NoteTrims(const PolicyPlan& plan);
  // How long tenants wait, and for what.
  void KeepWaitClocks(const PolicySnapshot& snapshot, const PolicyPlan& plan);
  // So much of what is assured to the tenant is due to it; less than `useful` more than it holds is of no use to it.
  void KeepPromise(Tenants::Tenant& tenant, Bytes due, Bytes held, Bytes useful);
  // Who did not give back in time, and what becomes of it.
  void WatchTargets();
  void EndProcessesThatMissed(SessionRecord& session);
  // Whose fault it is that memory did not come since then, as far as is known: "session=3 tenant=b pid=7 (active, holds
  // 2 GiB, asked 1.2s ago to hold 1 GiB)". Who is lost or has ended, and what it held came back since then or has not
  // yet; who is late with an answer; programs outside. If it is none of these, who borrowed memory and reports by now
  // that it cannot give it back.
  std::string Culprits(absl::Time since) const;
  std::vector<std::string> WhoPinsBorrowedMemory() const;
  // Whether it missed a deadline since then, or took longer to answer than it says.
  bool IsLate(const SessionRecord& session, absl::Time since) const;
  Rooms::Device RoomDevice(const DeviceView::Books& books) const;
  void UpdateRooms();
  // The device has been looked at: what was let go of outside of arenas is free by now, or it needs one look more.
  void NoteLook();
  // Time in which nobody could act is nobody's fault.
  void ExtendDeadlines(absl::Duration gap);
  Bytes HeldBy(const SessionRecord& session) const;
  void StartMaking(Lease& lease, uint64_t slots);
  void RetryStarved();
  void Warn(std::string text);
  void Inform(std::string text);

  template <typename E>
  void Emit(E effect) {
    effects_.emplace_back(std::move(effect));
  }

  Options options_;
  const Policy& policy_;  // Not owned; must outlive this.

  DeviceView device_;
  Ledger ledger_;
  Accounts journalled_;  // what of the ledger is in the journal
  Tenants tenants_;
  absl::Status zeroing_ = absl::UnavailableError("whether memory is zeroed is not known yet");
  // The first one who had a session; with require_zero the only one until zeroing_ is OK.
  std::optional<uint32_t> only_user_;
  BrokerCounters counters_;
  // The newest sessions that ended with memory, and when it was back.
  std::deque<std::pair<std::string, absl::Time>> ended_;
  uint64_t next_wait_ = 1;
  absl::Duration sample_backoff_;
  bool adopted_ = false;  // a client brought memory along: the cap may be exceeded without fault of ours

  Rooms rooms_;
  uint64_t turns_ = 0;
  uint64_t policy_revision_;
  PolicyPlan plan_;           // the newest
  bool time_matters_ = true;  // somebody waits, or is asked for something
  absl::Time planned_ = absl::InfinitePast();
  std::optional<absl::Time> trims_awaited_;  // since when
  StuckWatch stuck_;
  bool plan_is_due_ = false;  // something has changed that the policy decides on

  // Of the step that is being taken.
  absl::Time now_ = absl::InfinitePast();
  std::vector<Effect> effects_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_ARBITER_H_
