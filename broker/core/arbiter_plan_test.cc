// What the arbiter does about a policy's word: targets and their deadlines, turns, wants that can never be met; and rooms,
// which it makes itself. The policy here says what a test tells it to.

#include <optional>
#include <string>
#include <vector>

#include "broker/core/testing/arbiter_fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// Grants all that is wanted and available; bounds, turns and verdicts are the test's.
class ScriptedPolicy : public Policy {
 public:
  PolicyPlan Plan(const PolicySnapshot& snapshot) const override {
    newest = snapshot;
    PolicyPlan plan;
    Bytes available = snapshot.available;
    for (const PolicySnapshot::Lease& lease : snapshot.leases) {
      const bool never = impossible && lease.Least() > 0;
      plan.verdicts.push_back({.rule = never ? Rule::kImpossible : Rule::kMet});
      if (never || lease.wanted <= lease.held || !snapshot.room_short.IsZero()) continue;
      const uint64_t slots = std::min(lease.wanted - lease.held, available / lease.slot);
      if (slots == 0) continue;
      plan.grants.push_back({.lease = lease.id, .slots = slots});
      available -= lease.slot * slots;
    }
    for (const PolicySnapshot::Session& session : snapshot.sessions) {
      plan.targets.push_back({.session = session.id, .max = max, .within = within, .reason = "test"});
    }
    for (const PolicySnapshot::Tenant& tenant : snapshot.tenants) {
      plan.shares.push_back({.wanted = wanted.value_or(tenant.Held()), .entitled = MiB(7)});
    }
    plan.turn = turn;
    plan.eviction_age = eviction_age;
    if (!trim.IsZero()) plan.trims.push_back({.session = snapshot.sessions[0].id, .bytes = trim});
    plan.awaits_trims = awaits_trims;
    plan.asked = asked;
    return plan;
  }

  std::optional<Bytes> max;
  absl::Duration within;
  std::optional<size_t> turn;
  std::optional<absl::Duration> eviction_age;
  std::optional<Bytes> wanted;
  Bytes trim;  // that the first session is asked for
  bool awaits_trims = false;
  Bytes asked;  // so much of anybody
  bool impossible = false;
  mutable PolicySnapshot newest;
};

class ArbiterPlanTest : public ArbiterFixture<ScriptedPolicy> {
 protected:
  ArbiterPlanTest() {
    session_ = Open("a", 1);
    lease_ = OpenArena(session_);
  }
  std::vector<Effect> LookAt(absl::Duration later) {
    now_ += later;
    return Look();
  }
  std::vector<Effect> Release(uint64_t total) {
    return Step(event::Released{.session = session_, .lease = lease_, .total = total});
  }
  BrokerReport::Tenant TenantRow(const std::string& name) const {
    for (const BrokerReport::Tenant& row : arbiter_.Report(now_).tenants) {
      if (row.name == name) return row;
    }
    return {};
  }
  std::vector<std::string> Warnings(const std::vector<Effect>& effects) const {
    std::vector<std::string> texts;
    for (const effect::Note& note : All<effect::Note>(effects)) {
      if (note.level == effect::Note::Level::kWarning) texts.push_back(note.text);
    }
    return texts;
  }

  SessionId session_;
  LeaseId lease_;
};

// ---------------------------------------------------------------- targets

TEST_F(ArbiterPlanTest, ATargetIsToldWithItsDeadlineAndItsReason) {
  Activate(session_, lease_, 10);
  policy_.max = MiB(8);
  policy_.within = absl::Milliseconds(250);
  const auto told = All<effect::TellTarget>(Look());
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].max, MiB(8));
  EXPECT_EQ(told[0].within, absl::Milliseconds(250));
  EXPECT_EQ(told[0].reason, "test");
  EXPECT_FALSE(Has<effect::TellTarget>(Look())) << "once";
}

TEST_F(ArbiterPlanTest, WhatWasNotFetchedYetIsTakenBackFirst) {
  Activate(session_, lease_, 10);
  Want(session_, 14);
  Make(lease_, 2);
  policy_.max = MiB(22);
  const auto effects = Look();
  EXPECT_EQ(All<effect::TellRevoke>(effects)[0].total, 3u) << "2 that are being made, and 1 that is made";
  EXPECT_EQ(All<effect::DiscardMade>(effects)[0].slots, 1u);
  EXPECT_EQ(Row(session_).active + Row(session_).in_flight, MiB(22));
}

TEST_F(ArbiterPlanTest, ANewEvictionAgeIsToldWithTheSameTarget) {
  policy_.max = MiB(80);
  const auto first = All<effect::TellTarget>(Look());
  policy_.eviction_age = absl::Seconds(16);
  const auto second = All<effect::TellTarget>(Look());
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_EQ(second[0].eviction_age, absl::Seconds(16));
  EXPECT_EQ(second[0].max, MiB(80));
  EXPECT_GT(second[0].revision, first[0].revision);
}

TEST_F(ArbiterPlanTest, AMissedTargetIsCountedAndNamesTheSessionOnce) {
  Activate(session_, lease_, 10);
  policy_.max = MiB(8);
  policy_.within = absl::Milliseconds(100);
  Look();
  EXPECT_THAT(Warnings(LookAt(absl::Milliseconds(50))), SizeIs(0));
  const auto warnings = Warnings(LookAt(absl::Milliseconds(60)));
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_THAT(warnings[0], HasSubstr("target missed session=1 tenant=a pid=1 held=20971520 target=8388608"));
  EXPECT_THAT(Warnings(LookAt(absl::Seconds(1))), SizeIs(0));
  EXPECT_TRUE(Row(session_).over_target);
  EXPECT_EQ(Row(session_).missed_targets, 1u);
  EXPECT_EQ(TenantRow("a").missed_targets, 1u);

  Release(6);
  EXPECT_FALSE(Row(session_).over_target);
}

TEST_F(ArbiterPlanTest, WhatIsGivenBackOnDemandIsTimedAndCounted) {
  Activate(session_, lease_, 10);
  policy_.max = MiB(8);
  Look();
  now_ += absl::Milliseconds(30);
  Release(8);
  EXPECT_EQ(TenantRow("a").reclaimed, MiB(12)) << "and two slots of its own accord";
  EXPECT_EQ(Row(session_).response, absl::Milliseconds(31));
  EXPECT_EQ(TenantRow("a").reclaims.sum(), absl::Milliseconds(31));
  EXPECT_EQ(arbiter_.Report(now_).asked_back, Bytes());
}

TEST_F(ArbiterPlanTest, AWantIsTimedUntilAllOfItIsGranted) {
  Want(session_, 3);
  free_ = MiB(8);
  Look();
  Want(session_, 6);  // one of them at once
  EXPECT_EQ(TenantRow("a").grants.counts()[0], 1u) << "the first three";
  now_ += absl::Milliseconds(39);
  free_ = MiB(100);
  Look();
  Look();
  EXPECT_EQ(TenantRow("a").grants.sum(), absl::Milliseconds(40));
}

TEST_F(ArbiterPlanTest, AProcessIsEndedOnlyWhereItsTenantsPolicySaysSo) {
  Activate(session_, lease_, 10);
  policy_.max = MiB(8);
  policy_.within = absl::Milliseconds(100);
  Look();
  EXPECT_FALSE(Has<effect::EndProcess>(LookAt(absl::Seconds(1))));

  const auto polite = All<effect::EndProcess>(
      Step(event::SetTenant{.tenant = "a", .policy = {.missed_target = MissedTarget::kEndProcess}}));
  ASSERT_THAT(polite, SizeIs(1));
  EXPECT_FALSE(polite[0].kill);
  EXPECT_THAT(All<effect::EndProcess>(LookAt(absl::Milliseconds(4900))), SizeIs(0));
  const auto kill = All<effect::EndProcess>(LookAt(absl::Milliseconds(200)));
  ASSERT_THAT(kill, SizeIs(1));
  EXPECT_TRUE(kill[0].kill);
  EXPECT_THAT(All<effect::EndProcess>(LookAt(absl::Seconds(4))), SizeIs(0));
}

TEST_F(ArbiterPlanTest, AMachineThatSleptBlamesNobody) {
  Activate(session_, lease_, 10);
  policy_.max = MiB(8);
  policy_.within = absl::Milliseconds(100);
  Look();
  EXPECT_THAT(Warnings(LookAt(absl::Hours(8))), SizeIs(0));
  EXPECT_THAT(Warnings(LookAt(absl::Milliseconds(150))), SizeIs(1));
}

// ---------------------------------------------------------------- what the policy sees

TEST_F(ArbiterPlanTest, HoldingsAreSeenForTwelveSeconds) {
  Activate(session_, lease_, 10);
  Holding holding = {.spare = MiB(2), .free = MiB(4)};
  holding.cached_by_age[3] = MiB(6);
  Step(event::HoldingReport{.session = session_, .arena = kArena, .holding = holding});
  Look();
  ASSERT_THAT(policy_.newest.sessions, SizeIs(1));
  EXPECT_EQ(policy_.newest.sessions[0].holding, holding);
  EXPECT_TRUE(policy_.newest.sessions[0].reported);
  EXPECT_EQ(Row(session_).holding, holding);
  for (int second = 0; second < 11; ++second) LookAt(absl::Seconds(1));
  EXPECT_TRUE(policy_.newest.sessions[0].reported);
  LookAt(absl::Seconds(2));
  EXPECT_FALSE(policy_.newest.sessions[0].reported);
}

TEST_F(ArbiterPlanTest, ClaimsAreCutToWhatTheArenaCouldHold) {
  Holding holding = {.spare = Bytes(kHuge), .free = Bytes(kHuge), .compactable = Bytes(kHuge)};
  for (Bytes& bytes : holding.cached_by_age) bytes = Bytes(kHuge);
  Step(event::HoldingReport{.session = session_, .arena = kArena, .holding = holding});
  EXPECT_EQ(policy_.newest.sessions[0].holding.spare, MiB(2000));
  EXPECT_EQ(policy_.newest.sessions[0].holding.Cached(), MiB(16'000));
}

TEST_F(ArbiterPlanTest, WhatWasGrantedIsProtectedForTwoSeconds) {
  Activate(session_, lease_, 10);
  Look();
  EXPECT_EQ(policy_.newest.sessions[0].protected_bytes, MiB(20));
  LookAt(absl::Seconds(2));
  EXPECT_EQ(policy_.newest.sessions[0].protected_bytes, Bytes());
}

TEST_F(ArbiterPlanTest, ConfirmingAndMakingAskNobody) {
  Want(session_, 4);
  policy_.newest = {};
  Make(lease_, 4);
  const auto batch = All<effect::HandOver>(Fetch(session_, lease_));
  Step(event::Confirm{.session = session_, .lease = lease_, .batch = batch[0].batch});
  EXPECT_THAT(policy_.newest.tenants, SizeIs(0));
}

TEST_F(ArbiterPlanTest, AQuietDeviceIsNotPlannedForAtEachLook) {
  Arbiter::Options options = options_;
  options.quiet_interval = absl::Seconds(1);
  Arbiter quiet(options, policy_);
  const auto plans_at = [&](int ms, Bytes free) {
    policy_.newest = {};
    quiet.Step(event::DeviceSample{.total = MiB(100), .free = free}, now_ + absl::Milliseconds(ms));
    return !policy_.newest.tenants.empty();
  };
  EXPECT_TRUE(plans_at(0, MiB(100)));
  EXPECT_FALSE(plans_at(100, MiB(100)));
  EXPECT_TRUE(plans_at(200, MiB(90))) << "somebody took some";
  EXPECT_FALSE(plans_at(1100, MiB(90)));
  EXPECT_TRUE(plans_at(1200, MiB(90)));
}

// ---------------------------------------------------------------- turns, wants that can never be met, waiting

TEST_F(ArbiterPlanTest, ATurnIsKeptAndItsAgeGrows) {
  policy_.turn = 1;
  Look();
  LookAt(absl::Seconds(3));
  ASSERT_TRUE(policy_.newest.turn.has_value());
  EXPECT_EQ(policy_.newest.turn->tenant, 1u);
  EXPECT_EQ(policy_.newest.turn->age, absl::Seconds(3) + absl::Milliseconds(1));
  EXPECT_TRUE(TenantRow("b").has_turn);
  EXPECT_EQ(policy_.newest.tenants[1].last_turn, 1u);
  EXPECT_EQ(policy_.newest.tenants[0].last_turn, 0u);
  policy_.turn.reset();
  Look();
  Look();
  EXPECT_FALSE(policy_.newest.turn.has_value());
}

TEST_F(ArbiterPlanTest, AWantThatCanNeverBeMetIsAnsweredOnceAndForgotten) {
  policy_.impossible = true;
  Step(event::SetTenant{.tenant = "a", .policy = {.limit = MiB(10)}});
  const auto errors = All<effect::TellError>(Want(session_, 20, kArena, 20));
  ASSERT_THAT(errors, SizeIs(1));
  EXPECT_EQ(errors[0].want_revision, revision_);
  EXPECT_EQ(errors[0].arena, kArena);
  EXPECT_EQ(errors[0].status.message(), "arena 1 needs 20 more slots at once, 40 MiB; the limit of tenant a is 10 MiB");
  policy_.impossible = false;
  EXPECT_FALSE(Has<effect::TellGrant>(Look())) << "it is forgotten";
  EXPECT_FALSE(Has<effect::TellError>(Look()));
  EXPECT_TRUE(Has<effect::TellGrant>(Want(session_, 3)));
}

TEST_F(ArbiterPlanTest, AWantThatOnlyProgramsOutsideKeepAwayWaits) {
  policy_.impossible = true;  // as long as the device is so full
  free_ = MiB(4);
  Look();
  EXPECT_FALSE(Has<effect::TellError>(Want(session_, 20, kArena, 20)));
  policy_.impossible = false;
  free_ = MiB(100);
  EXPECT_TRUE(Has<effect::TellGrant>(Look()));
  policy_.impossible = true;
  const auto errors = All<effect::TellError>(Want(session_, 900, kArena, 500));
  ASSERT_THAT(errors, SizeIs(1));
  EXPECT_THAT(std::string(errors[0].status.message()), HasSubstr("the broker has 100 MiB at the most"));
}

TEST_F(ArbiterPlanTest, NoWantIsImpossibleBeforeTheDeviceWasLookedAt) {
  policy_.impossible = true;
  Arbiter arbiter(options_, policy_);
  const SessionId session = All<effect::Admit>(arbiter.Step(Greeting("a", 1), now_))[0].session;
  arbiter.Step(event::ArenaOpen{.session = session, .arena = {.id = kArena, .planes = {MiB(2)}, .slots = 1000}}, now_);
  const event::Want want = {.session = session, .arena = kArena, .revision = 1, .slots = 5, .min_useful = 5};
  EXPECT_FALSE(Has<effect::TellError>(arbiter.Step(want, now_)));
  policy_.impossible = false;
  const auto look = arbiter.Step(event::DeviceSample{.total = MiB(100), .free = MiB(100)}, now_);
  EXPECT_TRUE(Has<effect::TellGrant>(look));
}

TEST_F(ArbiterPlanTest, AGuaranteeThatComesLateIsCountedAndNamesWhoHoldsItUp) {
  Activate(session_, lease_, 10);
  Step(
      event::SetTenant{.tenant = "b", .policy = {.guarantee = MiB(20), .guarantee_deadline = absl::Milliseconds(200)}});
  policy_.max = MiB(4);
  policy_.within = absl::Milliseconds(100);
  policy_.wanted = MiB(50);
  free_ = Bytes();
  Look();
  const SessionId waits = Open("b", 2);
  OpenArena(waits);
  Want(waits, 10);
  EXPECT_EQ(TenantRow("b").assured_waits, 1u);
  std::vector<std::string> warnings;
  for (int i = 0; i < 5; ++i) {
    for (const std::string& warning : Warnings(LookAt(absl::Milliseconds(100)))) warnings.push_back(warning);
  }
  ASSERT_THAT(warnings, SizeIs(2));
  EXPECT_THAT(warnings[1], HasSubstr("guarantee missed tenant=b"));
  EXPECT_THAT(warnings[1], HasSubstr("session=1 tenant=a pid=1 (active, holds 20 MiB, asked"));
  EXPECT_EQ(TenantRow("b").assured_misses, 1u);
  policy_.wanted = Bytes();
  Look();
  EXPECT_GT(TenantRow("b").assured_waited, absl::Milliseconds(500));
}

TEST_F(ArbiterPlanTest, AMissNamesWhoHasEndedAndElseWhoPinsWhatItBorrowed) {
  const auto wait_for_a_miss = [this](SessionId waits, uint64_t slots) {
    Want(waits, slots);
    std::string missed;
    for (int i = 0; i < 5; ++i) {
      for (const std::string& warning : Warnings(LookAt(absl::Milliseconds(100)))) missed += warning;
    }
    return missed;
  };
  Activate(session_, lease_, 10);
  Step(event::HoldingReport{.session = session_, .arena = kArena, .holding = {.pinned = MiB(6)}});
  Step(
      event::SetTenant{.tenant = "b", .policy = {.guarantee = MiB(40), .guarantee_deadline = absl::Milliseconds(200)}});
  free_ = Bytes();
  Look();
  const SessionId waits = Open("b", 2);
  OpenArena(waits);
  EXPECT_THAT(wait_for_a_miss(waits, 10),
              HasSubstr("session=1 tenant=a pid=1 (pins 6 MiB; its tenant holds 20 MiB more than is assured to it)"));

  Want(waits, 0);
  LookAt(absl::Seconds(1));
  Want(waits, 20);
  LookAt(absl::Milliseconds(150));
  Step(event::ProcessEnded{.session = session_});
  free_ = MiB(20);
  std::string missed;
  for (int i = 0; i < 3; ++i) {
    for (const std::string& warning : Warnings(LookAt(absl::Milliseconds(40)))) missed += warning;
  }
  EXPECT_THAT(missed, HasSubstr("session=1 tenant=a pid=1 (ended"));
}

// ---------------------------------------------------------------- operators

TEST_F(ArbiterPlanTest, ALimitBelowTheFloorNeedsForce) {
  auto hello = Greeting("b", 2);
  hello.floor = MiB(16);
  Step(hello);
  const Arbiter::TenantChange change = {.tenant = "b", .policy = {.limit = MiB(10)}};
  EXPECT_THAT(std::string(arbiter_.CheckTenantChange(change).status().message()), HasSubstr("16 MiB"));
  Arbiter::TenantChange forced = change;
  forced.force = true;
  EXPECT_TRUE(arbiter_.CheckTenantChange(forced).ok());
}

TEST_F(ArbiterPlanTest, MoreThanThereIsCannotBeAssured) {
  Step(event::SetTenant{.tenant = "a", .policy = {.reserved = MiB(60)}});
  const auto checked = arbiter_.CheckTenantChange({.tenant = "b", .policy = {.guarantee = MiB(50)}});
  EXPECT_EQ(checked.status().message(), "all tenants together would be assured of 110 MiB, and there are 100 MiB");
  EXPECT_TRUE(arbiter_.CheckTenantChange({.tenant = "b", .policy = {.guarantee = MiB(40)}}).ok());
}

TEST_F(ArbiterPlanTest, AChangedPolicyIsToldToTheTenantsSessions) {
  const SessionId other = Open("b", 2);
  const SessionId same = Open("a", 3);
  const std::vector<Effect> effects = Step(event::SetTenant{.tenant = "a", .policy = {.limit = MiB(10)}});
  const auto told = All<effect::TellPolicy>(effects);
  ASSERT_THAT(told, SizeIs(2));
  for (const effect::TellPolicy& policy : told) {
    EXPECT_NE(policy.session, other);
    EXPECT_EQ(policy.limit, MiB(10));
    EXPECT_EQ(policy.revision, 1u);
  }
  EXPECT_NE(told[0].session, told[1].session);
  EXPECT_TRUE(told[0].session == same || told[1].session == same);
}

TEST_F(ArbiterPlanTest, AChangeOfAnOlderRevisionIsRefused) {
  Step(event::SetTenant{.tenant = "a", .policy = {.weight = 7}});
  EXPECT_EQ(arbiter_.Report(now_).policy_revision, 1u);
  EXPECT_FALSE(arbiter_.CheckTenantChange({.tenant = "a", .policy = {}, .if_revision = 9}).ok());
  const auto checked = arbiter_.CheckTenantChange({.tenant = "b", .policy = {.weight = 8}, .if_revision = 1});
  ASSERT_TRUE(checked.ok());
  EXPECT_EQ(checked->revision, 2u);
  EXPECT_EQ(checked->set_tenants.at("a").weight, 7u) << "all that operators set is kept together";
  EXPECT_EQ(checked->set_tenants.at("b").weight, 8u);
}

TEST_F(ArbiterPlanTest, SimulatingChangesNothing) {
  const auto simulation = arbiter_.Simulate("a", MiB(9), TenantPolicy{.limit = MiB(4)}, now_);
  ASSERT_TRUE(simulation.ok()) << simulation.status();
  EXPECT_EQ(simulation->snapshot.leases[0].wanted, 5u);
  EXPECT_THAT(simulation->plan.grants, SizeIs(1));
  EXPECT_EQ(Charged(), Bytes());
  EXPECT_EQ(TenantRow("a").policy.limit, std::nullopt);
  EXPECT_FALSE(arbiter_.Simulate("nobody", std::nullopt, std::nullopt, now_).ok());
}

TEST_F(ArbiterPlanTest, SimulatingWhatNoDeviceHasIsSurvived) {
  for (const char* tenant : {"a", "b"}) {  // with an arena and without
    const auto simulation = arbiter_.Simulate(tenant, Bytes(kHuge), std::nullopt, now_);
    ASSERT_TRUE(simulation.ok()) << simulation.status();
    EXPECT_GT(simulation->snapshot.leases.back().wanted, uint64_t{1} << 38);
  }
}

// ---------------------------------------------------------------- trims

class ArbiterTrimTest : public ArbiterPlanTest {
 protected:
  std::vector<Effect> Say(Bytes bytes, Bytes trimmable) { return Say(++said_, bytes, trimmable); }
  std::vector<Effect> Say(uint64_t revision, Bytes bytes, Bytes trimmable) {
    return Step(event::External{.session = session_, .revision = revision, .bytes = bytes, .trimmable = trimmable});
  }
  // It is asked for so much, once.
  std::vector<effect::TellTrim> Ask(Bytes bytes) {
    policy_.trim = bytes;
    const auto told = All<effect::TellTrim>(Look());
    policy_.trim = Bytes();
    return told;
  }
  const PolicySnapshot::Session& Seen() {
    Look();
    return policy_.newest.sessions[0];
  }

  uint64_t said_ = 0;
};

TEST_F(ArbiterTrimTest, ThePolicySeesWhatIsTrimmableAndOperatorsWhatIsHeld) {
  Say(MiB(30), MiB(10));
  EXPECT_EQ(Seen().trimmable, MiB(10));
  EXPECT_EQ(Seen().trim_asked_for, absl::InfiniteDuration());
  EXPECT_EQ(TenantRow("a").external, MiB(30));
  EXPECT_EQ(TenantRow("a").trimmable, MiB(10));
  EXPECT_EQ(Row(session_).external, MiB(30));
  EXPECT_EQ(Row(session_).trimmable, MiB(10));
  Say(1, MiB(50), MiB(50));
  EXPECT_EQ(TenantRow("a").external, MiB(30)) << "an older word, overtaken";
}

TEST_F(ArbiterTrimTest, NobodyHoldsMoreThanTheDeviceWhateverItSays) {
  Say(Bytes(kHuge), Bytes(kHuge));
  const SessionId other = Open("a", 2);
  Step(event::External{.session = other, .revision = kHuge, .bytes = Bytes(kHuge), .trimmable = Bytes(kHuge)});
  EXPECT_EQ(Seen().trimmable, MiB(100));
  EXPECT_EQ(TenantRow("a").external, MiB(200)) << "of two sessions";
}

TEST_F(ArbiterTrimTest, ATrimIsToldWithARevisionOfItsOwn) {
  Say(MiB(30), MiB(10));
  const auto first = Ask(MiB(8));
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_EQ(first[0].session, session_);
  EXPECT_EQ(first[0].bytes, MiB(8));
  EXPECT_EQ(Seen().trim_asked, MiB(8));
  EXPECT_EQ(Seen().trim_asked_for, absl::Milliseconds(2));
  EXPECT_EQ(Ask(MiB(9))[0].revision, first[0].revision + 1);
}

TEST_F(ArbiterTrimTest, AnAnswerIsLookedForAtOnceAndOnceMore) {
  Say(MiB(30), MiB(10));
  Ask(MiB(8));
  EXPECT_FALSE(Has<effect::SampleDevice>(Say(MiB(31), MiB(10)))) << "it lets go of nothing";
  EXPECT_TRUE(Has<effect::SampleDevice>(Say(MiB(21), Bytes())));
  EXPECT_TRUE(Has<effect::SampleDevice>(Look())) << "this one may have been on its way";
  EXPECT_EQ(policy_.newest.sessions[0].trim_asked, MiB(8));
  EXPECT_FALSE(Has<effect::SampleDevice>(Look()));
  EXPECT_EQ(Seen().trim_asked, Bytes());
}

TEST_F(ArbiterTrimTest, WhatIsSaidAsksThePolicyOnlyWhereOthersAreAsked) {
  policy_.newest = PolicySnapshot();
  Say(MiB(30), MiB(10));
  EXPECT_TRUE(policy_.newest.sessions.empty()) << "the next look is soon enough";
  policy_.asked = MiB(1);
  Look();
  policy_.newest = PolicySnapshot();
  Say(MiB(30), MiB(20));
  EXPECT_FALSE(policy_.newest.sessions.empty()) << "it is cheaper than what others are asked for";
}

TEST_F(ArbiterTrimTest, SinceWhenTrimsAreAwaitedIsKept) {
  policy_.awaits_trims = true;
  Look();
  EXPECT_EQ(policy_.newest.trims_awaited, std::nullopt);
  LookAt(absl::Milliseconds(99));
  EXPECT_EQ(policy_.newest.trims_awaited, absl::Milliseconds(100));
  LookAt(absl::Seconds(60));
  EXPECT_EQ(policy_.newest.trims_awaited, absl::Milliseconds(100)) << "the machine slept";
  policy_.awaits_trims = false;
  Look();
  Look();
  EXPECT_EQ(policy_.newest.trims_awaited, std::nullopt);
}

TEST_F(ArbiterTrimTest, ASessionThatIsLostSaysNothingAndIsAskedForNothing) {
  Activate(session_, lease_, 1);
  Say(MiB(30), MiB(10));
  Step(event::ConnectionLost{.session = session_});
  Look();
  EXPECT_TRUE(policy_.newest.sessions.empty());
  Say(MiB(40), MiB(40));
  EXPECT_EQ(TenantRow("a").external, MiB(30));
}

// ---------------------------------------------------------------- room

class ArbiterRoomTest : public ArbiterPlanTest {
 protected:
  std::vector<Effect> Reserve(Bytes bytes, uint64_t request = 1, absl::Duration ttl = absl::ZeroDuration()) {
    return Step(event::ReserveExternal{.session = session_, .request = request, .bytes = bytes, .ttl = ttl});
  }
};

TEST_F(ArbiterRoomTest, WhatIsFreeIsRoomAtOnceAndNobodyIsGrantedIt) {
  const auto ready = All<effect::TellRoomReady>(Reserve(MiB(90)));
  ASSERT_THAT(ready, SizeIs(1));
  EXPECT_EQ(ready[0].request, 1u);
  EXPECT_EQ(All<effect::TellGrant>(Want(session_, 20))[0].total, 5u) << "10 MiB are left";
  EXPECT_EQ(arbiter_.Report(now_).room, MiB(90));
}

TEST_F(ArbiterRoomTest, WhatIsLackingIsAskedForAndTheRoomIsReadyWhenItIsThere) {
  Activate(session_, lease_, 40);
  EXPECT_FALSE(Has<effect::TellRoomReady>(Reserve(MiB(30))));
  EXPECT_EQ(policy_.newest.room_short, MiB(10));
  EXPECT_EQ(policy_.newest.available, Bytes());
  EXPECT_EQ(policy_.newest.capacity, MiB(80));
  Release(5);
  free_ += MiB(10);
  EXPECT_TRUE(Has<effect::TellRoomReady>(Look()));
  EXPECT_EQ(policy_.newest.room_short, Bytes());
}

TEST_F(ArbiterRoomTest, WhatTheProgramTakesIsNotHeldBackTwice) {
  Reserve(MiB(40));
  free_ -= MiB(30);
  Look();
  EXPECT_EQ(arbiter_.Report(now_).room, MiB(10));
  EXPECT_EQ(policy_.newest.available, MiB(60));
  EXPECT_EQ(arbiter_.Report(now_).rooms[0].room.used, MiB(30));
}

TEST_F(ArbiterRoomTest, SettledItIsTheTenantsAndTheRestIsEverybodys) {
  Reserve(MiB(40));
  free_ -= MiB(30);
  Look();
  Step(event::ExternalSettled{.session = session_, .request = 1, .bytes = MiB(30)});
  EXPECT_EQ(arbiter_.Report(now_).room, Bytes());
  EXPECT_EQ(TenantRow("a").external, MiB(30));
  // The next one waits for looks that show what was taken.
  EXPECT_FALSE(Has<effect::TellRoomReady>(Reserve(MiB(5), 2)));
  EXPECT_FALSE(Has<effect::TellRoomReady>(Look()));
  EXPECT_TRUE(Has<effect::TellRoomReady>(Look()));
}

TEST_F(ArbiterRoomTest, WhereThereIsEnoughAllThatAskAreReadyAtOnce) {
  const SessionId other = Open("b", 2);
  const SessionId third = Open("b", 3);
  EXPECT_TRUE(Has<effect::TellRoomReady>(Reserve(MiB(40))));
  EXPECT_TRUE(
      Has<effect::TellRoomReady>(Step(event::ReserveExternal{.session = other, .request = 1, .bytes = MiB(50)})));
  EXPECT_FALSE(
      Has<effect::TellRoomReady>(Step(event::ReserveExternal{.session = third, .request = 1, .bytes = MiB(30)})));
  EXPECT_EQ(policy_.newest.room_short, MiB(20));
  EXPECT_EQ(arbiter_.Report(now_).room, MiB(100));
}

TEST_F(ArbiterRoomTest, SeveralThatFreeMemoryCoversBecomeReadyInOneStep) {
  Activate(session_, lease_, 40);
  for (const int64_t pid : {2, 3, 4}) {
    Step(event::ReserveExternal{.session = Open("b", pid), .request = 1, .bytes = MiB(30)});
  }
  Release(40);
  free_ += MiB(80);
  EXPECT_THAT(All<effect::TellRoomReady>(Look()), SizeIs(3));
}

TEST_F(ArbiterRoomTest, WhatAProcessThatEndedTookIsNotAnotherOnesOnceItIsGone) {
  const SessionId other = Open("b", 2);
  Step(event::ReserveExternal{.session = other, .request = 1, .bytes = MiB(40)});
  Reserve(MiB(40));
  free_ -= MiB(50);  // 35 and 15
  Look();
  free_ += MiB(35);
  Step(event::ProcessEnded{.session = other});
  Look();
  EXPECT_GE(arbiter_.Report(now_).room, MiB(25));
  LookAt(absl::Seconds(4));
  LookAt(absl::Seconds(4));
  EXPECT_EQ(arbiter_.Report(now_).room, MiB(25));
}

TEST_F(ArbiterRoomTest, ForOneWhoseConnectionIsLostNothingIsMade) {
  Activate(session_, lease_, 40);
  Reserve(MiB(30));
  Step(event::ConnectionLost{.session = session_});
  EXPECT_THAT(arbiter_.Report(now_).rooms, SizeIs(0));
  EXPECT_EQ(policy_.newest.room_short, Bytes());
}

TEST_F(ArbiterRoomTest, ItEndsWithItsSession) {
  Reserve(MiB(40));
  Step(event::ProcessEnded{.session = session_});
  EXPECT_THAT(arbiter_.Report(now_).rooms, SizeIs(0));
  Look();
  EXPECT_EQ(arbiter_.Report(now_).room, MiB(40)) << "that look may have begun before";
  Look();
  EXPECT_EQ(arbiter_.Report(now_).room, Bytes());
}

TEST_F(ArbiterRoomTest, MoreThanCouldEverBeIsRefusedAndSaysWhy) {
  Step(event::SetTenant{.tenant = "b", .policy = {.reserved = MiB(30)}});
  const auto errors = All<effect::TellError>(Reserve(MiB(80), 7));
  ASSERT_THAT(errors, SizeIs(1));
  EXPECT_EQ(errors[0].request, 7u);
  EXPECT_EQ(errors[0].status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(errors[0].status.message()), HasSubstr("room of 80 MiB is more than could be made, 70 MiB"));
  EXPECT_EQ(All<effect::TellError>(Step(event::ReserveExternal{.session = session_, .bytes = MiB(1)})).size(), 1u);
  EXPECT_EQ(All<effect::TellError>(Reserve(Bytes(), 8))[0].status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(All<effect::TellError>(Reserve(Bytes(kHuge), 9))[0].status.code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(ArbiterRoomTest, OneThatOnlyAnotherRoomKeepsAwayWaitsForItsEnd) {
  const SessionId other = Open("b", 2);
  Step(event::ReserveExternal{.session = other, .request = 1, .bytes = MiB(70)});
  EXPECT_THAT(All<effect::TellError>(Reserve(MiB(40))), SizeIs(0));
  EXPECT_FALSE(Has<effect::TellRoomReady>(Step(event::ProcessEnded{.session = other})));
  EXPECT_THAT(All<effect::SampleDevice>(Look()), SizeIs(1)) << "it may have begun before the end";
  EXPECT_TRUE(Has<effect::TellRoomReady>(Look()));
}

TEST_F(ArbiterRoomTest, ARepeatIsAnsweredAgainAndChangesNothing) {
  Reserve(MiB(40));
  EXPECT_TRUE(Has<effect::TellRoomReady>(Reserve(MiB(40))));
  EXPECT_THAT(arbiter_.Report(now_).rooms, SizeIs(1));
  Step(event::ExternalSettled{.session = session_, .request = 5, .bytes = MiB(30)});
  EXPECT_EQ(arbiter_.Report(now_).room, MiB(40)) << "of another request";
}

TEST_F(ArbiterRoomTest, WhatProgramsOutsideTakeBeyondWhatIsFreeIsAskedBack) {
  Activate(session_, lease_, 40);
  Want(session_, 50);
  EXPECT_EQ(policy_.newest.room_short, Bytes());
  free_ = MiB(15);  // 20 are granted and not made yet
  Look();
  EXPECT_EQ(policy_.newest.room_short, MiB(5));
  EXPECT_EQ(policy_.newest.available, Bytes());
  EXPECT_EQ(policy_.newest.capacity - policy_.newest.room_short, MiB(95));
}

}  // namespace
}  // namespace kvbroker
