#include "broker/policy/testing/first_come.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAreArray;

// Two tenants of one session each; slots of 2 MiB; tenant 0 waits longer.
struct Situation {
  std::string name;
  Bytes available;
  std::optional<Bytes> limit[2];
  Bytes charged[2];
  uint64_t wanted[2];  // slots
  uint64_t min_useful = 0;
  std::vector<uint64_t> grants;  // slots: tenant 0's, tenant 1's
  std::optional<Bytes> targets[2];
};

PolicySnapshot SnapshotOf(const Situation& s) {
  PolicySnapshot snapshot{.available = s.available, .capacity = MiB(40)};
  for (size_t i = 0; i < 2; ++i) {
    snapshot.tenants.push_back({.name = i == 0 ? "a" : "b", .policy = {.limit = s.limit[i]}, .charged = s.charged[i]});
    snapshot.sessions.push_back({.id = SessionId(i + 1), .tenant = i, .charged = s.charged[i]});
    snapshot.leases.push_back({.id = LeaseId(i + 1),
                               .tenant = i,
                               .slot = MiB(2),
                               .held = s.charged[i] / MiB(2),
                               .wanted = s.wanted[i],
                               .min_useful = s.min_useful,
                               .waiting_since = i + 1});
  }
  return snapshot;
}

class FirstComePolicyTableTest : public ::testing::TestWithParam<Situation> {};

TEST_P(FirstComePolicyTableTest, Plans) {
  const Situation& s = GetParam();
  const PolicyPlan plan = FirstComePolicy().Plan(SnapshotOf(s));

  std::vector<uint64_t> grants(2, 0);
  for (const PolicyPlan::Grant& grant : plan.grants) grants[grant.lease.value() - 1] += grant.slots;
  EXPECT_THAT(grants, ElementsAreArray(s.grants));
  ASSERT_EQ(plan.targets.size(), 2u);
  for (const PolicyPlan::Target& target : plan.targets) {
    EXPECT_EQ(target.max, s.targets[target.session.value() - 1]);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Situations, FirstComePolicyTableTest,
    ::testing::ValuesIn(std::vector<Situation>{
        {.name = "BothFit", .available = MiB(20), .wanted = {3, 4}, .grants = {3, 4}},
        {.name = "TheOlderWantGetsTheRest", .available = MiB(8), .wanted = {3, 4}, .grants = {3, 1}},
        {.name = "NobodyOvertakesAFullDevice", .available = MiB(4), .wanted = {3, 1}, .grants = {2, 0}},
        {.name = "TooLittleToBeUsefulBlocksTheNext",
         .available = MiB(4),
         .wanted = {3, 1},
         .min_useful = 3,
         .grants = {0, 0}},
        {.name = "AWantThatNothingCouldMeetHoldsNobodyBack",
         .available = MiB(20),
         .charged = {MiB(2), Bytes()},
         .wanted = {1'000'000, 1},
         .min_useful = 20,
         .grants = {0, 1}},
        {.name = "ALimitHoldsBackItsTenantAlone",
         .available = MiB(20),
         .limit = {MiB(2), std::nullopt},
         .wanted = {3, 4},
         .grants = {1, 4},
         .targets = {MiB(2), std::nullopt}},
        {.name = "AMetWantAsksForNothing",
         .available = MiB(20),
         .charged = {MiB(6), MiB(8)},
         .wanted = {3, 4},
         .grants = {0, 0}},
        {.name = "ALoweredLimitAsksForTheDifference",
         .available = MiB(20),
         .limit = {MiB(4), MiB(10)},
         .charged = {MiB(6), MiB(8)},
         .wanted = {5, 4},
         .grants = {0, 0},
         .targets = {MiB(4), MiB(10)}},
        {.name = "ALimitOfNothingIsALimit",
         .available = MiB(20),
         .limit = {Bytes(), std::nullopt},
         .wanted = {1, 0},
         .grants = {0, 0},
         .targets = {Bytes(), std::nullopt}},
    }),
    [](const auto& info) { return info.param.name; });

TEST(FirstComePolicyTest, TheLargestSessionOfATenantGivesBackFirst) {
  PolicySnapshot snapshot{.available = Bytes()};
  snapshot.tenants.push_back({.name = "a", .policy = {.limit = MiB(6)}, .charged = MiB(12)});
  snapshot.sessions.push_back({.id = SessionId(1), .charged = MiB(4)});
  snapshot.sessions.push_back({.id = SessionId(2), .charged = MiB(8)});

  const PolicyPlan plan = FirstComePolicy().Plan(snapshot);

  ASSERT_EQ(plan.targets.size(), 2u);
  EXPECT_EQ(plan.targets[0].session, SessionId(2));
  EXPECT_EQ(plan.targets[0].max, MiB(2));
  EXPECT_EQ(plan.targets[1].max, MiB(6));
}

TEST(FirstComePolicyTest, TheLeasesOfATenantShareItsLimit) {
  PolicySnapshot snapshot{.available = MiB(40), .capacity = MiB(40)};
  snapshot.tenants.push_back({.name = "a", .policy = {.limit = MiB(10)}});
  snapshot.leases.push_back({.id = LeaseId(1), .slot = MiB(2), .wanted = 3, .waiting_since = 1});
  snapshot.leases.push_back({.id = LeaseId(2), .slot = MiB(2), .wanted = 9, .waiting_since = 2});

  const PolicyPlan plan = FirstComePolicy().Plan(snapshot);

  ASSERT_EQ(plan.grants.size(), 2u);
  EXPECT_EQ(plan.grants[0].slots, 3u);
  EXPECT_EQ(plan.grants[1].slots, 2u);
}

TEST(FirstComePolicyTest, WhatIsOnItsWayBackIsNotAskedForAgain) {
  PolicySnapshot snapshot{.available = Bytes()};
  snapshot.tenants.push_back({.name = "a", .policy = {.limit = MiB(10)}, .charged = MiB(16), .returned = MiB(6)});
  snapshot.sessions.push_back({.id = SessionId(1), .charged = MiB(10), .returned = MiB(6)});
  snapshot.sessions.push_back({.id = SessionId(2), .charged = MiB(6)});

  const PolicyPlan plan = FirstComePolicy().Plan(snapshot);

  ASSERT_EQ(plan.targets.size(), 2u);
  EXPECT_EQ(plan.targets[0].max, MiB(10));
  EXPECT_EQ(plan.targets[1].max, MiB(10));
}

}  // namespace
}  // namespace kvbroker
