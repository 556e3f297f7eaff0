// What operators ask for beside policies: a tenant trimmed or deleted, no new sessions, a session given up.

#include <string>

#include "broker/core/testing/arbiter_fixture.h"
#include "broker/policy/fair_policy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class OperatorsTest : public ArbiterFixture<FairPolicy> {
 protected:
  OperatorsTest() {
    session_ = Open();
    lease_ = OpenArena(session_);
  }
  std::vector<Effect> Squeeze(Bytes to, absl::Duration within = absl::Seconds(10)) {
    EXPECT_EQ(arbiter_.CheckSqueeze("a", to), absl::OkStatus());
    return Step(event::Squeeze{.tenant = "a", .to = to, .until = now_ + within});
  }
  std::vector<Effect> GiveBack(uint64_t slots) {
    released_ += slots;
    free_ += MiB(2) * slots;
    return Step(event::Released{.session = session_, .lease = lease_, .total = released_});
  }
  BrokerReport::Tenant Tenant(const std::string& name) {
    for (const BrokerReport::Tenant& tenant : arbiter_.Report(now_).tenants) {
      if (tenant.name == name) return tenant;
    }
    return {};
  }

  SessionId session_;
  LeaseId lease_;
  uint64_t released_ = 0;
};

// ---------------------------------------------------------------- trims

TEST_F(OperatorsTest, ATrimAsksForTheDifferenceAndIsOverOnceItIsBack) {
  Activate(session_, lease_, 10);

  const auto asked = All<effect::TellTarget>(Squeeze(MiB(8)));
  ASSERT_THAT(asked, SizeIs(1));
  EXPECT_EQ(asked[0].max, MiB(8));
  EXPECT_EQ(asked[0].reason, "an operator trims tenant a to 8 MiB");
  EXPECT_EQ(Tenant("a").squeezed_to, MiB(8));

  Want(session_, 4);
  GiveBack(6);
  EXPECT_TRUE(Tenant("a").squeezed_to.has_value()) << "nothing shows as free yet";
  const auto told = All<effect::TellTarget>(Look());
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].max, std::nullopt);
  EXPECT_FALSE(Tenant("a").squeezed_to.has_value());
  EXPECT_EQ(Tenant("a").held_after_squeeze, MiB(8));
  EXPECT_THAT(All<effect::TellGrant>(Want(session_, 9)), SizeIs(1)) << "it may grow again";
}

TEST_F(OperatorsTest, WhileItIsTrimmedATenantIsGrantedNothingAndItsWantsAreNotForgotten) {
  Activate(session_, lease_, 10);
  Squeeze(Bytes());
  const auto effects = Want(session_, 20, kArena, /*min_useful=*/10);
  EXPECT_FALSE(Has<effect::TellGrant>(effects));
  EXPECT_FALSE(Has<effect::TellError>(effects));
  EXPECT_EQ(Row(session_).wanted, MiB(40));
}

TEST_F(OperatorsTest, ATrimIsOverAtItsTimeAndSaysSo) {
  Activate(session_, lease_, 10);
  Squeeze(MiB(8), absl::Seconds(1));
  now_ += absl::Seconds(1);
  const auto notes = All<effect::Note>(Look());
  ASSERT_THAT(notes, SizeIs(2)) << "a missed target, as one for a limit is, and";
  EXPECT_THAT(notes[1].text, HasSubstr("not trimmed in time tenant=a to=8388608 holds=20971520 after=1."));
  EXPECT_FALSE(Tenant("a").squeezed_to.has_value());
}

TEST_F(OperatorsTest, ATrimIsOverWhereTheOperatorTakesItBack) {
  Activate(session_, lease_, 10);
  Squeeze(MiB(8));
  const auto told = All<effect::TellTarget>(Step(event::Squeeze{.tenant = "a"}));
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].max, std::nullopt);
}

TEST_F(OperatorsTest, ATrimThatNobodyNeedsIsOverAtOnce) {
  EXPECT_FALSE(Has<effect::TellTarget>(Squeeze(MiB(8))));
  EXPECT_FALSE(Tenant("a").squeezed_to.has_value());
}

TEST_F(OperatorsTest, ATrimThatMakesNoSenseIsRefusedByName) {
  Activate(session_, lease_, 10);
  Step(event::SetTenant{.tenant = "a", .policy = {.reserved = MiB(10)}});
  EXPECT_EQ(arbiter_.CheckSqueeze("c", Bytes()).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(arbiter_.CheckSqueeze("a", MiB(8)),
            absl::FailedPreconditionError(
                "tenant a has 10 MiB reserved, which nobody else may have: trimming it to 8 MiB would help nobody"));
  Squeeze(MiB(10));
  EXPECT_EQ(arbiter_.CheckSqueeze("a", MiB(12)),
            absl::FailedPreconditionError("tenant a is being trimmed to 10 MiB already"));
}

TEST_F(OperatorsTest, ATrimIsOverWhereMoreIsReservedMeanwhile) {
  Activate(session_, lease_, 10);
  Squeeze(MiB(8));
  Step(event::SetTenant{.tenant = "a", .policy = {.reserved = MiB(10)}});
  EXPECT_FALSE(Tenant("a").squeezed_to.has_value());
}

TEST_F(OperatorsTest, TheLowerOfLimitAndTrimCounts) {
  Activate(session_, lease_, 15);
  Step(event::SetTenant{.tenant = "a", .policy = {.limit = MiB(20)}});
  EXPECT_FALSE(Has<effect::TellTarget>(Squeeze(MiB(24)))) << "its target is lower already";
  EXPECT_EQ(Row(session_).target, MiB(20));
  Step(event::Squeeze{.tenant = "a"});
  const auto told = All<effect::TellTarget>(Squeeze(MiB(16)));
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].max, MiB(16));
}

TEST_F(OperatorsTest, ATrimBelowItsGuaranteeIsNoMissOfThat) {
  Step(
      event::SetTenant{.tenant = "a", .policy = {.guarantee = MiB(20), .guarantee_deadline = absl::Milliseconds(100)}});
  Activate(session_, lease_, 10);
  Want(session_, 20);
  Squeeze(MiB(2));
  GiveBack(5);
  for (int i = 0; i < 20; ++i) {
    now_ += absl::Milliseconds(100);
    Look();
  }
  EXPECT_EQ(Tenant("a").assured_misses, 0u);
}

TEST_F(OperatorsTest, TimeInWhichTheMachineSleptIsNoneOfATrims) {
  Activate(session_, lease_, 10);
  Squeeze(MiB(8), absl::Seconds(3));
  now_ += absl::Minutes(1);
  Look();
  EXPECT_EQ(Tenant("a").squeezed_to, MiB(8));
}

TEST_F(OperatorsTest, ATrimThatTheLimitAllowsLeavesTheLimit) {
  Step(event::SetTenant{.tenant = "a", .policy = {.limit = MiB(30)}});
  Activate(session_, lease_, 10);
  Squeeze(MiB(25));
  EXPECT_FALSE(Has<effect::TellGrant>(Want(session_, 20)) && Charged() > MiB(30));
  EXPECT_EQ(Tenant("a").policy.limit, MiB(30));
}

// ---------------------------------------------------------------- new sessions

TEST_F(OperatorsTest, WhileItIsDrainedNobodyNewComes) {
  Step(event::Admission{.open = false});
  const auto refused = All<effect::Refuse>(Step(Greeting("b", 2)));
  ASSERT_THAT(refused, SizeIs(1));
  EXPECT_EQ(refused[0].status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused[0].status.message()), HasSubstr("GPU-1 is drained"));
  EXPECT_FALSE(arbiter_.Report(now_).admits);

  Step(event::Admission{.open = true});
  EXPECT_TRUE(Has<effect::Admit>(Step(Greeting("b", 2))));
}

TEST_F(OperatorsTest, WhileItIsDrainedThoseThatThereAreGrowAndComeBack) {
  Activate(session_, lease_, 10);
  Step(event::Admission{.open = false});
  EXPECT_THAT(All<effect::TellGrant>(Want(session_, 12)), SizeIs(1));

  Step(event::ConnectionLost{.session = session_});
  event::Hello hello = Greeting("a", 1);
  hello.resumes = session_;
  EXPECT_TRUE(Has<effect::Admit>(Step(hello)));
}

TEST_F(OperatorsTest, WhileItIsDrainedWhoHoldsMemoryOfAnEarlierBrokerComesBack) {
  Step(event::Admission{.open = false});
  free_ -= MiB(20);
  Look();
  event::Hello hello = Greeting("b", 2);
  hello.held = {{.arena = {.id = kArena, .planes = {MiB(2)}, .slots = 100}, .slots = 10}};
  EXPECT_TRUE(Has<effect::Admit>(Step(hello)));
}

TEST_F(OperatorsTest, WhileItIsDrainedWhoHoldsNothingComesBackAsWell) {
  Step(event::Admission{.open = false});
  event::Hello hello = Greeting("b", 2);
  hello.comes_back = true;
  EXPECT_TRUE(Has<effect::Admit>(Step(hello))) << "a program in a room, whose broker was replaced";
}

// ---------------------------------------------------------------- a tenant is deleted

TEST_F(OperatorsTest, ADeletedTenantIsAsConfiguredAgainAndItsSessionsAreTold) {
  Step(event::SetTenant{.tenant = "a", .policy = {.limit = MiB(30)}});
  const auto checked = arbiter_.CheckTenantDeletion("a", /*if_revision=*/1);
  ASSERT_EQ(checked.status(), absl::OkStatus());
  EXPECT_EQ(checked->revision, 2u);
  EXPECT_THAT(checked->set_tenants, IsEmpty());

  const auto told = All<effect::TellPolicy>(Step(event::DeleteTenant{.tenant = "a"}));
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].limit, std::nullopt);
  EXPECT_EQ(Tenant("a").policy.limit, std::nullopt);
  EXPECT_FALSE(Tenant("a").set);
  EXPECT_EQ(arbiter_.Report(now_).policy_revision, 2u);
}

TEST_F(OperatorsTest, ADeletedTenantThatNoConfigurationNamesIsKnownNoMore) {
  Step(event::SetTenant{.tenant = "night", .policy = {}});
  ASSERT_EQ(arbiter_.CheckTenantDeletion("night", 0).status(), absl::OkStatus());
  Step(event::DeleteTenant{.tenant = "night"});
  EXPECT_THAT(arbiter_.Report(now_).tenants, SizeIs(2));
  EXPECT_EQ(arbiter_.CheckTenantDeletion("night", 0).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(OperatorsTest, ATenantThatIsInUseIsKeptThoughNoConfigurationNamesIt) {
  Step(event::SetTenant{.tenant = "night", .policy = {.limit = MiB(30)}});
  const SessionId session = Open("night", 9);
  const absl::Status refused = arbiter_.CheckTenantDeletion("night", 0).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("pid=9"));

  // It came while the file was being written.
  Step(event::DeleteTenant{.tenant = "night"});
  EXPECT_EQ(Tenant("night").policy.limit, std::nullopt);
  EXPECT_TRUE(Has<effect::Refuse>(Step(Greeting("night", 10)))) << "nobody new";
  Step(event::ProcessEnded{.session = session});
  EXPECT_EQ(arbiter_.CheckTenantDeletion("night", 0).status(), absl::OkStatus());
}

TEST_F(OperatorsTest, ADeletionThatWouldAssureMoreThanThereIsIsRefused) {
  options_.tenants["a"].guarantee = MiB(60);
  Arbiter arbiter(options_, policy_);
  arbiter.Step(event::DeviceSample{.total = MiB(100), .free = MiB(100)}, now_);
  arbiter.Step(event::SetTenant{.tenant = "a", .policy = {}}, now_);
  arbiter.Step(event::SetTenant{.tenant = "b", .policy = {.guarantee = MiB(60)}}, now_);
  EXPECT_EQ(arbiter.CheckTenantDeletion("a", 0).status(),
            absl::FailedPreconditionError("all tenants together would be assured of 120 MiB, and there are 100 MiB"));
  EXPECT_EQ(arbiter.CheckTenantDeletion("b", 0).status(), absl::OkStatus());
}

TEST_F(OperatorsTest, ADeletionOfAnotherRevisionIsRefused) {
  Step(event::SetTenant{.tenant = "a", .policy = {.weight = 7}});
  EXPECT_EQ(arbiter_.CheckTenantDeletion("a", 3).status(),
            absl::FailedPreconditionError("the policy is revision 1 by now, not 3"));
}

// ---------------------------------------------------------------- a session is given up

TEST_F(OperatorsTest, AForgottenSessionsMemoryIsOthersOnceItHasNotComeBackForSoLong) {
  Activate(session_, lease_, 10);
  Step(event::ConnectionLost{.session = session_});
  ASSERT_EQ(arbiter_.CheckForget(session_), absl::OkStatus());
  Step(event::Forget{.session = session_});
  EXPECT_EQ(StateOf(session_), SessionState::kDraining);
  EXPECT_EQ(Charged(), MiB(20)) << "its process lives: nobody has it yet";
  for (int i = 0; i < 70; ++i) {
    now_ += absl::Milliseconds(100);
    Look();
  }
  EXPECT_EQ(StateOf(session_), SessionState::kGone);
  EXPECT_EQ(Charged(), Bytes());
  EXPECT_EQ(arbiter_.Report(now_).used_by_others, MiB(20));
}

TEST_F(OperatorsTest, ASessionThatIsServedOrHasEndedIsNotForgotten) {
  Activate(session_, lease_, 10);
  EXPECT_THAT(std::string(arbiter_.CheckForget(session_).message()), HasSubstr("its process uses what it holds"));
  Step(event::Forget{.session = session_});
  EXPECT_EQ(StateOf(session_), SessionState::kActive);
  Step(event::ProcessEnded{.session = session_});
  EXPECT_EQ(arbiter_.CheckForget(session_).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(arbiter_.CheckForget(SessionId(99)).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace kvbroker
