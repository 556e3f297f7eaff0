#ifndef KVBROKER_BROKER_CORE_TESTING_ARBITER_FIXTURE_H_
#define KVBROKER_BROKER_CORE_TESTING_ARBITER_FIXTURE_H_

#include <limits>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "broker/core/arbiter.h"
#include "broker/policy/testing/first_come.h"
#include "gtest/gtest.h"

namespace kvbroker {

inline constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();
inline constexpr ArenaId kArena(1);

// The effects of one kind, in order.
template <typename E>
std::vector<E> All(const std::vector<Effect>& effects) {
  std::vector<E> all;
  for (const Effect& effect : effects) {
    if (const E* e = std::get_if<E>(&effect)) all.push_back(*e);
  }
  return all;
}

template <typename E>
bool Has(const std::vector<Effect>& effects) {
  return !All<E>(effects).empty();
}

// An arbiter and a device of 100 MiB. Tenants "a" and "b" are known; slots are of 2 MiB.
template <typename PolicyType>
class ArbiterFixture : public ::testing::Test {
 protected:
  ArbiterFixture() { Look(); }

  std::vector<Effect> Step(const Event& event) {
    now_ += absl::Milliseconds(1);
    std::vector<Effect> effects = arbiter_.Step(event, now_);
    EXPECT_EQ(arbiter_.CheckInvariants(), absl::OkStatus());
    return effects;
  }
  // A look at the device; later than everything before it is given back by then.
  std::vector<Effect> Look() { return Step(event::DeviceSample{.total = MiB(100), .free = free_}); }

  static event::Hello Greeting(const std::string& tenant, int64_t pid) {
    return {.connection = ConnectionId(static_cast<uint64_t>(pid)),
            .process = {.pid = pid, .start_time = 1},
            .tenant = tenant,
            .engine = "test"};
  }
  SessionId Open(const std::string& tenant = "a", int64_t pid = 1) {
    const auto admitted = All<effect::Admit>(Step(Greeting(tenant, pid)));
    return admitted.size() == 1 ? admitted[0].session : SessionId();
  }
  LeaseId OpenArena(SessionId session, ArenaId arena = kArena, uint64_t slots = 1000) {
    const auto opened = All<effect::TellArenaOpened>(
        Step(event::ArenaOpen{.session = session, .arena = {.id = arena, .planes = {MiB(2)}, .slots = slots}}));
    return opened.size() == 1 ? opened[0].lease : LeaseId();
  }
  std::vector<Effect> Want(SessionId session, uint64_t slots, ArenaId arena = kArena, uint64_t min_useful = 0) {
    return Step(event::Want{
        .session = session, .arena = arena, .revision = ++revision_, .slots = slots, .min_useful = min_useful});
  }
  std::vector<Effect> Fetch(SessionId session, LeaseId lease, uint64_t most = kHuge, BatchId confirm = BatchId()) {
    return Step(event::Fetch{.session = session, .lease = lease, .max_slots = most, .confirm = confirm});
  }
  std::vector<Effect> Make(LeaseId lease, uint64_t slots) {
    free_ -= MiB(2) * slots;
    return Step(event::Made{.lease = lease, .slots = slots});
  }
  std::vector<Effect> FailToMake(LeaseId lease, uint64_t slots) {
    return Step(event::MakeFailed{.lease = lease, .slots = slots, .error = absl::ResourceExhaustedError("full")});
  }
  // Wants, gets and confirms so many slots more.
  void Activate(SessionId session, LeaseId lease, uint64_t slots) {
    active_[session] += slots;
    Want(session, active_[session]);
    Make(lease, slots);
    const auto batch = All<effect::HandOver>(Fetch(session, lease));
    ASSERT_EQ(batch.size(), 1u);
    ASSERT_EQ(batch[0].slots, slots);
    Step(event::Confirm{.session = session, .lease = lease, .batch = batch[0].batch});
  }

  BrokerReport::Session Row(SessionId id) const {
    for (const BrokerReport::Session& row : arbiter_.Report(now_).sessions) {
      if (row.id == id) return row;
    }
    return {};
  }
  Bytes Charged() const { return arbiter_.Report(now_).charged; }
  SessionState StateOf(SessionId id) const { return Row(id).id ? Row(id).state : SessionState::kGone; }

  PolicyType policy_;
  Arbiter::Options options_ = {
      .device_uuid = "GPU-1", .tenants = {{"a", {}}, {"b", {}}}, .quiet_interval = absl::ZeroDuration()};
  Arbiter arbiter_{options_, policy_};
  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  Bytes free_ = MiB(100);
  uint64_t revision_ = 0;
  std::map<SessionId, uint64_t> active_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_TESTING_ARBITER_FIXTURE_H_
