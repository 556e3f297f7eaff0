#include "broker/core/arbiter.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/testing/arbiter_fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using ArbiterTest = ArbiterFixture<FirstComePolicy>;

// ---------------------------------------------------------------- Hello

TEST_F(ArbiterTest, HelloIsWelcomedWithWhatTheDeviceAndTheTenantAllow) {
  Step(event::SetTenant{.tenant = "a", .policy = {.limit = MiB(30)}});

  const auto effects = Step(Greeting("a", 7));

  const auto admitted = All<effect::Admit>(effects);
  ASSERT_EQ(admitted.size(), 1u);
  EXPECT_EQ(admitted[0].connection, ConnectionId(7));
  EXPECT_EQ(admitted[0].capacity, MiB(100));
  EXPECT_EQ(admitted[0].limit, MiB(30));
  ASSERT_THAT(All<effect::TellTarget>(effects), ::testing::SizeIs(1));
  EXPECT_EQ(All<effect::TellTarget>(effects)[0].max, MiB(30));
}

TEST_F(ArbiterTest, HelloOfAnUnknownTenantIsRefusedByNameAndLeavesNothing) {
  const auto refused = All<effect::Refuse>(Step(Greeting("c", 1)));
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(refused[0].status.message()), HasSubstr("'c'"));
  EXPECT_THAT(arbiter_.Report(now_).sessions, IsEmpty());
}

TEST_F(ArbiterTest, HelloForAnotherDeviceOrAnUnservedRoleIsRefused) {
  event::Hello elsewhere = Greeting("a", 1);
  elsewhere.device_uuid = "GPU-2";
  event::Hello mapper = Greeting("a", 1);
  mapper.role = SessionRole::kMapper;
  EXPECT_EQ(All<effect::Refuse>(Step(elsewhere))[0].status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(All<effect::Refuse>(Step(mapper))[0].status.code(), absl::StatusCode::kUnimplemented);
}

TEST_F(ArbiterTest, OnlySoManySessionsMayBe) {
  event::Hello hello = Greeting("a", 1);
  for (size_t i = 0; i < Arbiter::kMostSessions; ++i) {
    hello.process = {.pid = static_cast<int64_t>(i), .uid = static_cast<uint32_t>(i / Arbiter::kMostSessionsOfUser)};
    ASSERT_FALSE(Has<effect::Refuse>(arbiter_.Step(hello, now_)));
  }
  hello.process = {.pid = 5000, .uid = 5000};
  EXPECT_EQ(All<effect::Refuse>(Step(hello))[0].status.message(), "there are 1024 sessions already");
}

TEST_F(ArbiterTest, OneUserLeavesSessionsToOthers) {
  event::Hello hello = Greeting("a", 1);
  for (size_t i = 0; i < Arbiter::kMostSessionsOfUser; ++i) {
    hello.process = {.pid = static_cast<int64_t>(i), .uid = 10};
    ASSERT_FALSE(Has<effect::Refuse>(arbiter_.Step(hello, now_)));
  }
  hello.process = {.pid = 5000, .uid = 10};
  const auto refused = All<effect::Refuse>(Step(hello));
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused[0].status.message(), "uid 10 has 256 sessions already");
  hello.process = {.pid = 5001, .uid = 11};
  EXPECT_FALSE(Has<effect::Refuse>(Step(hello)));
}

TEST_F(ArbiterTest, WhoMayNotBeATenantIsRefusedAndLeavesNothing) {
  options_.access.tenants["a"].uids = {10};
  Arbiter arbiter(options_, policy_);
  event::Hello hello = Greeting("a", 1);
  hello.process.uid = 11;
  const auto refused = All<effect::Refuse>(arbiter.Step(hello, now_));
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(arbiter.Report(now_).sessions, IsEmpty());
  hello.process.uid = 10;
  EXPECT_TRUE(Has<effect::Admit>(arbiter.Step(hello, now_)));
}

TEST_F(ArbiterTest, WhereZeroIsRequiredOneUserIsServedUntilItIsProven) {
  options_.require_zero = true;
  Arbiter arbiter(options_, policy_);
  const auto comes = [&](uint32_t uid) {
    event::Hello hello = Greeting("a", uid);
    hello.process.uid = uid;
    const auto refused = All<effect::Refuse>(arbiter.Step(hello, now_));
    return refused.empty() ? absl::OkStatus() : refused[0].status;
  };
  EXPECT_EQ(comes(10), absl::OkStatus());
  EXPECT_EQ(comes(10), absl::OkStatus());
  EXPECT_EQ(comes(11).code(), absl::StatusCode::kUnavailable) << "nothing is known yet: it may come again";
  arbiter.Step(event::ZeroingChecked{absl::DataLossError("7 of 9 words were not zero")}, now_);
  EXPECT_EQ(comes(11), absl::FailedPreconditionError(
                           "uid 10 alone is served, not uid 11: require_zero is set, and 7 of 9 words were not zero"));
  arbiter.Step(event::ZeroingChecked{absl::UnavailableError("no memory")}, now_);
  EXPECT_EQ(comes(11).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(comes(10), absl::OkStatus());
  arbiter.Step(event::ZeroingChecked{absl::OkStatus()}, now_);
  EXPECT_EQ(comes(11), absl::OkStatus());
}

// ---------------------------------------------------------------- adoption

class AdoptionTest : public ArbiterTest {
 protected:
  static event::Hello::Held Held(uint64_t arena, uint64_t held, uint64_t slots = 100) {
    return {.arena = {.id = ArenaId(arena), .planes = {MiB(2)}, .slots = slots}, .slots = held};
  }
  static event::Hello ComesBack(std::vector<event::Hello::Held> held, int64_t pid = 1) {
    event::Hello hello = Greeting("a", pid);
    hello.held = std::move(held);
    return hello;
  }
  absl::StatusCode RefusalOf(const event::Hello& hello) {
    const auto refused = All<effect::Refuse>(Step(hello));
    return refused.empty() ? absl::StatusCode::kOk : refused[0].status.code();
  }
};

TEST_F(AdoptionTest, WhatAClientBringsAlongIsItsOwnAtOnce) {
  free_ -= MiB(20);
  Look();

  const auto admitted = All<effect::Admit>(Step(ComesBack({Held(1, 4), Held(2, 6)})));

  ASSERT_EQ(admitted.size(), 1u);
  EXPECT_EQ(admitted[0].arenas.size(), 2u);
  EXPECT_EQ(Row(admitted[0].session).active, MiB(20));
  EXPECT_EQ(arbiter_.Report(now_).used_by_others, Bytes());
}

TEST_F(AdoptionTest, WhatTheDeviceDoesNotShowInUseIsNotAdopted) {
  free_ -= MiB(20);
  Look();
  EXPECT_EQ(RefusalOf(ComesBack({Held(1, 11)})), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Charged(), Bytes());
}

TEST_F(AdoptionTest, TheSameMemoryIsNotAdoptedTwice) {
  free_ -= MiB(20);
  Look();
  ASSERT_EQ(RefusalOf(ComesBack({Held(1, 10)}, 1)), absl::StatusCode::kOk);
  EXPECT_EQ(RefusalOf(ComesBack({Held(1, 1)}, 2)), absl::StatusCode::kFailedPrecondition);
}

TEST_F(AdoptionTest, ImpossibleInventoriesAreRefused) {
  free_ = Bytes();
  Look();
  EXPECT_EQ(RefusalOf(ComesBack({Held(1, 101)})), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RefusalOf(ComesBack({Held(1, kHuge)})), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RefusalOf(ComesBack({Held(1, kHuge, kHuge)})), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RefusalOf(ComesBack({Held(0, 1)})), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RefusalOf(ComesBack({Held(1, 1), Held(1, 1)})), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RefusalOf(ComesBack(std::vector(65, Held(1, 0)))), absl::StatusCode::kInvalidArgument);
}

TEST_F(AdoptionTest, TheLargestInventoriesDoNotOverflow) {
  std::vector<event::Hello::Held> held;
  for (uint64_t i = 1; i <= Arbiter::kMostArenas; ++i) {
    held.push_back({.arena = {.id = ArenaId(i), .planes = {GiB(64)}, .slots = 1024}, .slots = 1024});
  }
  EXPECT_EQ(RefusalOf(ComesBack(held)), absl::StatusCode::kFailedPrecondition);
}

TEST_F(AdoptionTest, AProcessThatLostItsConnectionBringsItsMemoryAlong) {
  const SessionId old = Open();
  Activate(old, OpenArena(old), 10);
  Step(event::ConnectionLost{.session = old});

  const auto admitted = All<effect::Admit>(Step(ComesBack({Held(1, 10)})));

  ASSERT_EQ(admitted.size(), 1u);
  EXPECT_EQ(StateOf(old), SessionState::kDraining);
  Look();
  EXPECT_EQ(StateOf(old), SessionState::kGone);
  EXPECT_EQ(Charged(), MiB(20));
}

TEST_F(AdoptionTest, AnotherProcessDoesNotInheritALostSessionsMemory) {
  const SessionId old = Open();
  Activate(old, OpenArena(old), 10);
  Step(event::ConnectionLost{.session = old});
  EXPECT_EQ(RefusalOf(ComesBack({Held(1, 10)}, 2)), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(StateOf(old), SessionState::kLost);
}

TEST_F(AdoptionTest, AProcessReplacesTheSessionItNamesThoughItsConnectionSeemsToLive) {
  const SessionId old = Open();
  Activate(old, OpenArena(old), 10);
  event::Hello hello = ComesBack({Held(1, 10)});
  hello.resumes = old;

  EXPECT_EQ(RefusalOf(hello), absl::StatusCode::kOk);

  Look();
  EXPECT_EQ(StateOf(old), SessionState::kGone);
  EXPECT_EQ(Charged(), MiB(20));
}

TEST_F(AdoptionTest, AnotherProcessReplacesNothing) {
  const SessionId old = Open();
  Activate(old, OpenArena(old), 10);
  event::Hello hello = ComesBack({}, 2);
  hello.resumes = old;
  EXPECT_EQ(RefusalOf(hello), absl::StatusCode::kOk);
  EXPECT_EQ(StateOf(old), SessionState::kActive);
}

TEST_F(AdoptionTest, WhatLostSessionsGaveBackMeanwhileKeepsNobodyOut) {
  const SessionId first = Open("a", 1);
  const SessionId second = Open("a", 2);
  Activate(first, OpenArena(first), 10);
  Activate(second, OpenArena(second), 10);
  Step(event::ConnectionLost{.session = first});
  Step(event::ConnectionLost{.session = second});
  free_ += MiB(8);  // 2 slots of each, and nobody to tell
  Look();
  EXPECT_EQ(RefusalOf(ComesBack({Held(1, 8)}, 1)), absl::StatusCode::kOk);
  EXPECT_EQ(RefusalOf(ComesBack({Held(1, 8)}, 2)), absl::StatusCode::kOk);
}

TEST_F(AdoptionTest, ABatchThatArrivedAsTheConnectionBrokeIsAdoptedThoughAnotherWasCreditedWithIt) {
  const SessionId neighbour = Open("b", 2);
  const LeaseId lease = OpenArena(neighbour);
  Activate(neighbour, lease, 3);
  Want(neighbour, 0);
  Step(event::Released{.session = neighbour, .lease = lease, .total = 3});
  const SessionId lost = Open();
  const LeaseId sent = OpenArena(lost);
  Want(lost, 3);
  Make(sent, 3);
  Fetch(lost, sent);
  Step(event::ConnectionLost{.session = lost});
  free_ += MiB(6);  // the neighbour's
  Look();
  ASSERT_EQ(StateOf(lost), SessionState::kGone) << "the newest is credited first";

  EXPECT_EQ(RefusalOf(ComesBack({Held(1, 3)})), absl::StatusCode::kOk);
}

TEST_F(AdoptionTest, AClaimOfReturnAfterAdoptionWaitsForTheDevice) {
  free_ -= MiB(20);
  Look();
  const auto admitted = All<effect::Admit>(Step(ComesBack({Held(1, 10)})));
  Step(event::Released{.session = admitted[0].session, .lease = admitted[0].arenas[0].lease, .total = 10});
  Look();
  EXPECT_EQ(Charged(), MiB(20));
}

// ---------------------------------------------------------------- arenas

class ArenaTest : public ArbiterTest {
 protected:
  absl::StatusCode OpenFails(ArenaDescription arena) {
    const auto effects = Step(event::ArenaOpen{.session = session_, .arena = std::move(arena)});
    const auto errors = All<effect::TellError>(effects);
    EXPECT_EQ(errors.empty(), Has<effect::TellArenaOpened>(effects));
    return errors.empty() ? absl::StatusCode::kOk : errors[0].status.code();
  }

  SessionId session_ = Open();
};

TEST_F(ArenaTest, DescriptionsOutOfBoundsAreRefused) {
  const auto kBad = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(OpenFails({.id = ArenaId(), .planes = {MiB(2)}, .slots = 1}), kBad);
  EXPECT_EQ(OpenFails({.id = kArena, .planes = {}, .slots = 1}), kBad);
  EXPECT_EQ(OpenFails({.id = kArena, .planes = std::vector(251, MiB(2)), .slots = 1}), kBad);
  EXPECT_EQ(OpenFails({.id = kArena, .planes = {MiB(2)}, .slots = 0}), kBad);
  EXPECT_EQ(OpenFails({.id = kArena, .planes = {MiB(2)}, .slots = (1 << 20) + 1}), kBad);
  EXPECT_EQ(OpenFails({.id = kArena, .planes = {MiB(2)}, .slots = kHuge}), kBad);
  EXPECT_EQ(OpenFails({.id = kArena, .planes = {MiB(3)}, .slots = 1}), kBad);
  EXPECT_EQ(OpenFails({.id = kArena, .planes = {Bytes()}, .slots = 1}), kBad);
  EXPECT_EQ(OpenFails({.id = kArena, .planes = {Bytes(kHuge)}, .slots = 1}), kBad);
  EXPECT_EQ(OpenFails({.id = kArena, .planes = {GiB(66)}, .slots = 1}), kBad);
  EXPECT_EQ(OpenFails({.id = kArena, .planes = std::vector(250, GiB(64)), .slots = 1 << 20}), kBad);
  EXPECT_EQ(Row(session_).arenas, 0u);
}

TEST_F(ArenaTest, TheLargestDescriptionsAreOpened) {
  EXPECT_EQ(OpenFails({.id = ArenaId(kHuge), .planes = std::vector(250, MiB(2)), .slots = 1}), absl::StatusCode::kOk);
  EXPECT_EQ(OpenFails({.id = kArena, .planes = {MiB(2)}, .slots = 1 << 20}), absl::StatusCode::kOk);
  EXPECT_EQ(OpenFails({.id = ArenaId(2), .planes = {GiB(64)}, .slots = 1024}), absl::StatusCode::kOk);
}

TEST_F(ArenaTest, OpenTwiceIsRefusedAndChangesNothing) {
  const ArenaDescription arena = {.id = kArena, .planes = {MiB(2)}, .slots = 1};
  EXPECT_EQ(OpenFails(arena), absl::StatusCode::kOk);
  EXPECT_EQ(OpenFails(arena), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Row(session_).arenas, 1u);
}

TEST_F(ArenaTest, OnlySoManyArenasMayBeOpen) {
  for (uint64_t i = 1; i <= Arbiter::kMostArenas; ++i) ASSERT_TRUE(OpenArena(session_, ArenaId(i)));
  EXPECT_EQ(OpenFails({.id = ArenaId(100), .planes = {MiB(2)}, .slots = 1}), absl::StatusCode::kResourceExhausted);
}

TEST_F(ArenaTest, CloseReturnsEverythingAndTheLeaseEndsWhenTheDeviceShowsIt) {
  const LeaseId lease = OpenArena(session_);
  Activate(session_, lease, 3);
  Want(session_, 8);
  Make(lease, 2);

  const auto effects = Step(event::ArenaClose{.session = session_, .arena = kArena});

  EXPECT_EQ(All<effect::DiscardMade>(effects)[0].slots, 2u);
  EXPECT_EQ(Row(session_).returned, MiB(16)) << "3 were the client's, 2 the broker's, 3 are being made";
  free_ = MiB(100);
  Look();
  EXPECT_EQ(Row(session_).returned, MiB(6)) << "what is being made";
  EXPECT_EQ(All<effect::DiscardMade>(Step(event::Made{.lease = lease, .slots = 3}))[0].slots, 3u);
  Look();
  EXPECT_EQ(Row(session_).arenas, 0u);
  EXPECT_EQ(Charged(), Bytes());
}

TEST_F(ArenaTest, CloseOfWhatIsNotOpenIsRefusedAndOfWhatIsClosingIsNot) {
  const LeaseId lease = OpenArena(session_);
  Activate(session_, lease, 1);
  const auto unknown = All<effect::TellError>(Step(event::ArenaClose{.session = session_, .arena = ArenaId(kHuge)}));
  EXPECT_EQ(unknown[0].status.code(), absl::StatusCode::kNotFound);
  Step(event::ArenaClose{.session = session_, .arena = kArena});
  EXPECT_FALSE(Has<effect::TellError>(Step(event::ArenaClose{.session = session_, .arena = kArena})));
}

TEST_F(ArenaTest, CloseAnswersTheFetchThatWaits) {
  const LeaseId lease = OpenArena(session_);
  Want(session_, 1);
  ASSERT_FALSE(Has<effect::HandOver>(Fetch(session_, lease)));

  const auto answers = All<effect::HandOver>(Step(event::ArenaClose{.session = session_, .arena = kArena}));

  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].slots, 0u);
}

TEST_F(ArenaTest, FramesThatComeTooLateForAClosedArenaDisconnectNobody) {
  const LeaseId lease = OpenArena(session_);
  Want(session_, 1);
  Make(lease, 1);
  const BatchId batch = All<effect::HandOver>(Fetch(session_, lease))[0].batch;
  Step(event::ArenaClose{.session = session_, .arena = kArena});

  for (int i = 0; i < 2; ++i) {  // the lease is draining, then it has ended
    EXPECT_FALSE(Has<effect::Disconnect>(Step(event::Confirm{.session = session_, .lease = lease, .batch = batch})));
    EXPECT_FALSE(Has<effect::Disconnect>(Step(event::Nack{.session = session_, .lease = lease, .batch = batch})));
    const auto answers = All<effect::HandOver>(Fetch(session_, lease, 1, batch));
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].slots, 0u);
    free_ = MiB(100);
    Look();
  }
}

// ---------------------------------------------------------------- wants

class WantTest : public ArbiterTest {
 protected:
  SessionId session_ = Open();
  LeaseId lease_ = OpenArena(session_);
};

TEST_F(WantTest, IsGrantedToldAndMadeAhead) {
  const auto effects = Want(session_, 3);

  const auto grants = All<effect::TellGrant>(effects);
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].total, 3u);
  EXPECT_EQ(grants[0].want_revision, revision_);
  EXPECT_EQ(All<effect::MakeExtents>(effects)[0].slots, 3u);
  EXPECT_THAT(All<effect::MakeExtents>(effects)[0].planes, ElementsAre(MiB(2)));
  EXPECT_EQ(Row(session_).in_flight, MiB(6));
}

TEST_F(WantTest, ARepeatAndAnOlderOneChangeNothing) {
  Want(session_, 3);
  const event::Want repeat = {.session = session_, .arena = kArena, .revision = revision_, .slots = 9};
  const event::Want older = {.session = session_, .arena = kArena, .revision = revision_ - 1, .slots = 9};
  EXPECT_FALSE(Has<effect::TellGrant>(Step(repeat)));
  EXPECT_FALSE(Has<effect::TellGrant>(Step(older)));
  EXPECT_EQ(Charged(), MiB(6));
}

TEST_F(WantTest, MoreThanTheArenaHasIsRefusedAndChangesNothing) {
  Want(session_, 3);
  for (const uint64_t slots : {uint64_t{1001}, kHuge}) {
    const auto errors = All<effect::TellError>(Want(session_, slots));
    ASSERT_EQ(errors.size(), 1u);
    EXPECT_EQ(errors[0].status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(errors[0].arena, kArena);
  }
  EXPECT_EQ(Charged(), MiB(6));
}

TEST_F(WantTest, OfAnArenaThatIsNotOpenIsRefused) {
  EXPECT_EQ(All<effect::TellError>(Want(session_, 1, ArenaId(9)))[0].status.code(), absl::StatusCode::kNotFound);
  Activate(session_, lease_, 1);
  Step(event::ArenaClose{.session = session_, .arena = kArena});
  EXPECT_EQ(All<effect::TellError>(Want(session_, 1))[0].status.code(), absl::StatusCode::kNotFound);
}

TEST_F(WantTest, LoweredTakesBackWhatIsNotFetchedAndNothingElse) {
  Activate(session_, lease_, 4);
  Want(session_, 10);
  Make(lease_, 2);

  const auto effects = Want(session_, 1);

  EXPECT_EQ(All<effect::TellRevoke>(effects)[0].total, 6u);
  EXPECT_EQ(All<effect::DiscardMade>(effects)[0].slots, 2u);
  EXPECT_EQ(Row(session_).active, MiB(8)) << "the client's own stay";
  EXPECT_EQ(Row(session_).in_flight, Bytes());
}

TEST_F(WantTest, LoweredWhileMakingDiscardsWhatIsMadeThen) {
  Want(session_, 3);
  EXPECT_FALSE(Has<effect::DiscardMade>(Want(session_, 1)));
  EXPECT_EQ(Charged(), MiB(6)) << "the device is still at it";

  const auto effects = Make(lease_, 3);

  EXPECT_EQ(All<effect::DiscardMade>(effects)[0].slots, 2u);
  EXPECT_EQ(All<effect::HandOver>(Fetch(session_, lease_))[0].slots, 1u);
}

TEST_F(WantTest, LoweredToNothingAnswersTheFetchThatWaits) {
  Want(session_, 3);
  ASSERT_FALSE(Has<effect::HandOver>(Fetch(session_, lease_)));

  const auto answers = All<effect::HandOver>(Want(session_, 0));

  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].slots, 0u);
}

TEST_F(WantTest, ASecondWantWaitsItsTurn) {
  const SessionId other = Open("b", 2);
  OpenArena(other);
  Want(session_, 60);
  Want(other, 60);
  EXPECT_EQ(arbiter_.Report(now_).waiting, MiB(120 - 100) + MiB(120));

  Want(session_, 20);
  FailToMake(lease_, 50);
  const auto grants = All<effect::TellGrant>(Look());

  EXPECT_THAT(grants, IsEmpty()) << "what failed was nobody's any more and is granted in the same step";
  EXPECT_EQ(Row(other).charged, MiB(60));
}

TEST_F(WantTest, AnImpossibleLeastHoldsNobodyBack) {
  Want(session_, 1000, kArena, kHuge);
  const SessionId other = Open("b", 2);
  OpenArena(other);
  EXPECT_EQ(All<effect::TellGrant>(Want(other, 5))[0].total, 5u);
}

TEST_F(WantTest, TheHighestRevisionIsTheLast) {
  Step(event::Want{.session = session_, .arena = kArena, .revision = kHuge, .slots = 2, .min_useful = kHuge});
  EXPECT_EQ(Charged(), MiB(4));
  Want(session_, 5);
  EXPECT_EQ(Charged(), MiB(4));
}

// ---------------------------------------------------------------- handing over

class HandOverTest : public WantTest {
 protected:
  BatchId Batch(uint64_t slots) {
    Want(session_, wanted_ += slots);
    Make(lease_, slots);
    return All<effect::HandOver>(Fetch(session_, lease_))[0].batch;
  }
  absl::StatusCode Disconnects(const Event& event) {
    const auto disconnects = All<effect::Disconnect>(Step(event));
    return disconnects.empty() ? absl::StatusCode::kOk : disconnects[0].status.code();
  }

  uint64_t wanted_ = 0;
};

TEST_F(HandOverTest, FetchWaitsUntilASlotIsMade) {
  Want(session_, 3);
  EXPECT_FALSE(Has<effect::HandOver>(Fetch(session_, lease_, 2)));

  const auto handed = All<effect::HandOver>(Make(lease_, 3));

  ASSERT_EQ(handed.size(), 1u);
  EXPECT_EQ(handed[0].slots, 2u);
  EXPECT_TRUE(handed[0].batch);
}

TEST_F(HandOverTest, FetchWithNothingGrantedIsAnsweredAtOnce) {
  const auto handed = All<effect::HandOver>(Fetch(session_, lease_));
  ASSERT_EQ(handed.size(), 1u);
  EXPECT_EQ(handed[0].slots, 0u);
  EXPECT_FALSE(handed[0].batch);
}

TEST_F(HandOverTest, ABatchIsBoundedByItsDescriptors) {
  Look();
  Want(session_, 50);
  Make(lease_, 50);
  const SessionId wide = Open("b", 2);
  EXPECT_EQ(All<effect::HandOver>(Fetch(session_, lease_))[0].slots, 50u);
  Step(event::ArenaClose{.session = session_, .arena = kArena});
  free_ = MiB(2000);
  Step(event::DeviceSample{.total = MiB(2000), .free = free_});
  const auto opened = All<effect::TellArenaOpened>(
      Step(event::ArenaOpen{.session = wide, .arena = {.id = kArena, .planes = std::vector(100, MiB(2)), .slots = 5}}));
  Want(wide, 2);
  Step(event::Made{.lease = opened[0].lease, .slots = 2});
  EXPECT_EQ(All<effect::HandOver>(Fetch(wide, opened[0].lease))[0].slots, 1u) << "one slot's where that is more";
}

TEST_F(HandOverTest, ConfirmMakesItTheClientsAndDropsTheBrokersHandles) {
  const BatchId batch = Batch(3);
  EXPECT_EQ(Row(session_).in_flight, MiB(6));

  const auto dropped =
      All<effect::DropBatch>(Step(event::Confirm{.session = session_, .lease = lease_, .batch = batch}));

  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_EQ(dropped[0].batch, batch);
  EXPECT_EQ(Row(session_).active, MiB(6));
}

TEST_F(HandOverTest, FetchConfirmsTheBatchBeforeIt) {
  const BatchId first = Batch(2);
  Want(session_, 5);
  Make(lease_, 3);

  const auto effects = Fetch(session_, lease_, kHuge, first);

  EXPECT_EQ(All<effect::DropBatch>(effects)[0].batch, first);
  EXPECT_EQ(All<effect::HandOver>(effects)[0].slots, 3u);
}

TEST_F(HandOverTest, ARepeatedConfirmChangesNothing) {
  const event::Confirm confirm = {.session = session_, .lease = lease_, .batch = Batch(3)};
  Step(confirm);
  EXPECT_FALSE(Has<effect::DropBatch>(Step(confirm)));
  EXPECT_EQ(Row(session_).active, MiB(6));
}

TEST_F(HandOverTest, NackRevokesTheBatchWhichIsThenMadeAgain) {
  const BatchId batch = Batch(3);

  const auto effects =
      Step(event::Nack{.session = session_, .lease = lease_, .batch = batch, .error = "no descriptors left"});

  EXPECT_EQ(All<effect::DropBatch>(effects)[0].batch, batch);
  EXPECT_EQ(All<effect::TellRevoke>(effects)[0].total, 3u);
  EXPECT_EQ(All<effect::TellGrant>(effects)[0].total, 6u);
  EXPECT_EQ(All<effect::MakeExtents>(effects)[0].slots, 3u);
  EXPECT_EQ(Row(session_).charged, MiB(12)) << "the old ones until they are seen";
  free_ += MiB(6);
  Look();
  EXPECT_EQ(Row(session_).charged, MiB(6));
}

TEST_F(HandOverTest, BadFramesEndTheConnectionAndChangeNothing) {
  const BatchId batch = Batch(3);
  const auto kBad = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(Disconnects(event::Confirm{.session = session_, .lease = lease_, .batch = BatchId(kHuge)}), kBad);
  EXPECT_EQ(Disconnects(event::Confirm{.session = session_, .lease = lease_}), kBad);
  EXPECT_EQ(Disconnects(event::Nack{.session = session_, .lease = lease_, .batch = BatchId(9)}), kBad);
  EXPECT_EQ(Disconnects(event::Fetch{.session = session_, .lease = lease_, .max_slots = 0, .confirm = batch}), kBad);
  EXPECT_EQ(Disconnects(event::Fetch{.session = session_, .lease = lease_, .max_slots = 1, .confirm = BatchId(9)}),
            kBad);
  EXPECT_EQ(Disconnects(event::Fetch{.session = session_, .lease = lease_, .max_slots = 1}),
            absl::StatusCode::kFailedPrecondition)
      << "a batch is out";
  EXPECT_EQ(Row(session_).in_flight, MiB(6));
}

TEST_F(HandOverTest, ASecondFetchBesideOneThatWaitsEndsTheConnection) {
  Want(session_, 3);
  Fetch(session_, lease_);
  EXPECT_EQ(Disconnects(event::Fetch{.session = session_, .lease = lease_, .max_slots = 1}),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(HandOverTest, AnotherSessionsLeaseAndOneThatNeverWasEndTheConnection) {
  const SessionId other = Open("b", 2);
  const BatchId batch = Batch(1);
  for (const LeaseId lease : {lease_, LeaseId(), LeaseId(kHuge)}) {
    EXPECT_EQ(Disconnects(event::Fetch{.session = other, .lease = lease, .max_slots = 1}), absl::StatusCode::kNotFound);
    EXPECT_EQ(Disconnects(event::Confirm{.session = other, .lease = lease, .batch = batch}),
              absl::StatusCode::kNotFound);
    EXPECT_EQ(Disconnects(event::Nack{.session = other, .lease = lease, .batch = batch}), absl::StatusCode::kNotFound);
  }
  EXPECT_EQ(Row(session_).in_flight, MiB(2));
}

// ---------------------------------------------------------------- giving back

class ReleaseTest : public HandOverTest {};

TEST_F(ReleaseTest, IsChargedUntilTheDeviceShowsIt) {
  Activate(session_, lease_, 5);
  Want(session_, 0);

  const auto effects = Step(event::Released{.session = session_, .lease = lease_, .total = 3});

  EXPECT_EQ(All<effect::SampleDevice>(effects)[0].delay, absl::ZeroDuration());
  Look();
  EXPECT_EQ(Row(session_).returned, MiB(6));
  free_ += MiB(4);
  Look();
  EXPECT_EQ(Row(session_).returned, MiB(2));
  free_ += MiB(2);
  Look();
  EXPECT_EQ(Row(session_).charged, MiB(4));
}

TEST_F(ReleaseTest, WhatStaysInUseIsWrittenOffAfterFiveSecondsAndNotLentAgain) {
  Activate(session_, lease_, 5);
  Want(session_, 0);
  Step(event::Released{.session = session_, .lease = lease_, .total = 3});
  free_ += MiB(2);
  Look();
  EXPECT_EQ(Row(session_).returned, MiB(4));

  now_ += absl::Seconds(6);
  const auto notes = All<effect::Note>(Look());

  ASSERT_EQ(notes.size(), 1u);
  EXPECT_THAT(notes[0].text, HasSubstr("sessions=1 bytes=4194304"));
  EXPECT_EQ(Row(session_).charged, MiB(4));
  Look();
  const BrokerReport report = arbiter_.Report(now_);
  EXPECT_EQ(report.counters.written_off, MiB(4));
  EXPECT_EQ(report.used_by_others, MiB(4));
  EXPECT_EQ(report.free, free_);
}

TEST_F(ReleaseTest, LooksLessAndLessOftenForWhatDoesNotComeBack) {
  Activate(session_, lease_, 5);
  Step(event::Released{.session = session_, .lease = lease_, .total = 1});
  std::vector<absl::Duration> delays;
  for (int i = 0; i < 9; ++i) delays.push_back(All<effect::SampleDevice>(Look())[0].delay);
  EXPECT_EQ(delays.front(), absl::Milliseconds(1));
  EXPECT_EQ(delays.back(), absl::Milliseconds(100));
}

TEST_F(ReleaseTest, RepeatsAndOlderOnesChangeNothing) {
  Activate(session_, lease_, 5);
  for (const uint64_t total : {3, 3, 1}) {
    EXPECT_FALSE(Has<effect::TellError>(Step(event::Released{.session = session_, .lease = lease_, .total = total})));
  }
  EXPECT_EQ(Row(session_).returned, MiB(6));
}

TEST_F(ReleaseTest, OfMoreThanThereIsOrOfAnothersLeaseIsRefusedAndChangesNothing) {
  Activate(session_, lease_, 5);
  const SessionId other = Open("b", 2);
  const auto refusal = [&](SessionId session, LeaseId lease, uint64_t total) {
    return All<effect::TellError>(Step(event::Released{.session = session, .lease = lease, .total = total}))[0]
        .status.code();
  };
  EXPECT_EQ(refusal(session_, lease_, 6), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refusal(session_, lease_, kHuge), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refusal(other, lease_, 1), absl::StatusCode::kNotFound);
  EXPECT_EQ(refusal(session_, LeaseId(kHuge), 1), absl::StatusCode::kNotFound);
  EXPECT_EQ(Row(session_).active, MiB(10));
}

TEST_F(ReleaseTest, ThatOvertakesItsConfirmIsNotLost) {
  const BatchId batch = Batch(3);
  EXPECT_FALSE(Has<effect::TellError>(Step(event::Released{.session = session_, .lease = lease_, .total = 2})));
  EXPECT_EQ(Row(session_).in_flight, MiB(6));

  Step(event::Confirm{.session = session_, .lease = lease_, .batch = batch});

  EXPECT_EQ(Row(session_).active, MiB(2));
  EXPECT_EQ(Row(session_).returned, MiB(4));
}

TEST_F(ReleaseTest, WhatComesBackServesTheNext) {
  Activate(session_, lease_, 50);
  const SessionId other = Open("b", 2);
  OpenArena(other);
  EXPECT_FALSE(Has<effect::TellGrant>(Want(other, 3)));
  Want(session_, 47);
  Step(event::Released{.session = session_, .lease = lease_, .total = 3});

  free_ += MiB(6);
  const auto grants = All<effect::TellGrant>(Look());

  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].session, other);
}

// ---------------------------------------------------------------- making fails

class StarvedTest : public WantTest {};

TEST_F(StarvedTest, SlotsKeepTheirPlaceAndAreMadeWhenTheDeviceHasRoom) {
  Want(session_, 5);
  free_ = MiB(0);
  const auto effects = FailToMake(lease_, 5);
  EXPECT_EQ(All<effect::SampleDevice>(effects)[0].delay, absl::Milliseconds(100));
  EXPECT_FALSE(Has<effect::TellRevoke>(effects));
  EXPECT_FALSE(Has<effect::MakeExtents>(Look())) << "no room yet";

  free_ = MiB(4);
  const auto made = All<effect::MakeExtents>(Look());

  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].slots, 2u);
  EXPECT_EQ(Row(session_).in_flight, MiB(10));
}

TEST_F(StarvedTest, RetriesLeaveRoomForWhatIsBeingMade) {
  Want(session_, 5);
  FailToMake(lease_, 2);
  free_ = MiB(8);
  EXPECT_EQ(All<effect::MakeExtents>(Look())[0].slots, 1u) << "3 of 4 are being made already";
}

TEST_F(StarvedTest, RetriesLeaveRoomForWhatIsBeingMadeForNobody) {
  const SessionId other = Open("b", 2);
  const LeaseId lease = OpenArena(other);
  Want(other, 5);
  FailToMake(lease, 5);
  Want(session_, 3);
  Want(session_, 0);
  free_ = MiB(8);

  const auto made = All<effect::MakeExtents>(Look());

  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].slots, 1u);
}

TEST_F(StarvedTest, RetriesShareTheRoom) {
  const SessionId other = Open("b", 2);
  const LeaseId lease = OpenArena(other);
  Want(session_, 5);
  Want(other, 5);
  FailToMake(lease_, 5);
  FailToMake(lease, 5);
  free_ = MiB(12);

  const auto made = All<effect::MakeExtents>(Look());

  ASSERT_EQ(made.size(), 2u);
  EXPECT_EQ(made[0].slots, 5u);
  EXPECT_EQ(made[1].slots, 1u);
}

TEST_F(StarvedTest, AnOddFailureIsToldToTheOperator) {
  Want(session_, 5);
  EXPECT_FALSE(Has<effect::Note>(FailToMake(lease_, 1)));
  const auto notes =
      All<effect::Note>(Step(event::MakeFailed{.lease = lease_, .slots = 4, .error = absl::InternalError("strange")}));
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0].level, effect::Note::Level::kWarning);
  EXPECT_THAT(notes[0].text, HasSubstr("strange"));
}

TEST_F(StarvedTest, SlotsNobodyWantsAnyMoreAreNotRetried) {
  Want(session_, 5);
  FailToMake(lease_, 5);
  Want(session_, 0);
  EXPECT_FALSE(Has<effect::MakeExtents>(Look()));
  EXPECT_EQ(Charged(), Bytes());
}

// ---------------------------------------------------------------- the end of a process, at every stage of a hand-over

class DeathTest : public HandOverTest {
 protected:
  std::vector<Effect> Die() { return Step(event::ProcessEnded{.session = session_}); }
};

TEST_F(DeathTest, WithNothingItIsGoneAtOnce) {
  EXPECT_TRUE(Has<effect::EndSession>(Die()));
  EXPECT_THAT(arbiter_.Report(now_).sessions, IsEmpty());
}

TEST_F(DeathTest, StarvedIsForgotten) {
  Want(session_, 3);
  FailToMake(lease_, 3);
  EXPECT_TRUE(Has<effect::EndSession>(Die()));
  EXPECT_EQ(Charged(), Bytes());
}

TEST_F(DeathTest, WhileMakingItWaitsForTheDevice) {
  Want(session_, 3);
  EXPECT_FALSE(Has<effect::EndSession>(Die()));
  EXPECT_EQ(All<effect::DiscardMade>(Make(lease_, 1))[0].slots, 1u);
  FailToMake(lease_, 2);
  EXPECT_EQ(StateOf(session_), SessionState::kDraining);
  free_ += MiB(2);
  EXPECT_TRUE(Has<effect::EndSession>(Look()));
}

TEST_F(DeathTest, MadeIsDiscarded) {
  Want(session_, 3);
  Make(lease_, 3);
  EXPECT_EQ(All<effect::DiscardMade>(Die())[0].slots, 3u);
  EXPECT_EQ(StateOf(session_), SessionState::kDraining);
  free_ += MiB(6);
  EXPECT_TRUE(Has<effect::EndSession>(Look()));
}

TEST_F(DeathTest, SentIsDropped) {
  const BatchId batch = Batch(3);
  EXPECT_EQ(All<effect::DropBatch>(Die())[0].batch, batch);
  EXPECT_EQ(Charged(), MiB(6));
  free_ += MiB(6);
  EXPECT_TRUE(Has<effect::EndSession>(Look()));
}

TEST_F(DeathTest, ActiveStaysChargedWhileAChildHoldsIt) {
  Activate(session_, lease_, 3);
  Die();
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(Has<effect::EndSession>(Look()));
  EXPECT_EQ(Row(session_).charged, MiB(6));
  free_ += MiB(6);
  EXPECT_TRUE(Has<effect::EndSession>(Look()));
  EXPECT_EQ(Charged(), Bytes());
}

TEST_F(DeathTest, AfterReleaseItWaitsForTheDevice) {
  Activate(session_, lease_, 3);
  Want(session_, 0);
  Step(event::Released{.session = session_, .lease = lease_, .total = 3});
  Die();
  EXPECT_EQ(StateOf(session_), SessionState::kDraining);
  free_ += MiB(6);
  EXPECT_TRUE(Has<effect::EndSession>(Look()));
}

TEST_F(DeathTest, TwiceOrAfterGoodbyeChangesNothing) {
  Activate(session_, lease_, 3);
  Step(event::Goodbye{.session = session_});
  EXPECT_EQ(StateOf(session_), SessionState::kDraining);
  Die();
  Die();
  EXPECT_EQ(Charged(), MiB(6));
}

TEST_F(DeathTest, NothingIsHeardOfAnEndedSession) {
  Activate(session_, lease_, 3);
  Die();
  for (const Event& late : std::vector<Event>{
           event::Want{.session = session_, .arena = kArena, .revision = kHuge, .slots = 9},
           event::Fetch{.session = session_, .lease = lease_, .max_slots = 1, .confirm = BatchId(9)},
           event::Confirm{.session = session_, .lease = lease_, .batch = BatchId(9)},
           event::Nack{.session = session_, .lease = lease_, .batch = BatchId(9)},
           event::Released{.session = session_, .lease = lease_, .total = 3},
           event::ArenaOpen{.session = session_, .arena = {.id = ArenaId(2), .planes = {MiB(2)}, .slots = 1}},
           event::ArenaClose{.session = session_, .arena = kArena}, event::ConnectionLost{.session = session_},
           event::Goodbye{.session = session_}, event::Poisoned{.session = session_},
           event::Unsupported{.session = session_, .what = "x"}, event::ProcessEnded{.session = SessionId(kHuge)}}) {
    EXPECT_THAT(Step(late), IsEmpty());
  }
  EXPECT_EQ(StateOf(session_), SessionState::kDraining);
  EXPECT_EQ(Charged(), MiB(6));
}

// ---------------------------------------------------------------- lost, poisoned, goodbye

class LostTest : public HandOverTest {
 protected:
  std::vector<Effect> Lose() { return Step(event::ConnectionLost{.session = session_}); }
};

TEST_F(LostTest, WithNothingItEnds) { EXPECT_TRUE(Has<effect::EndSession>(Lose())); }

TEST_F(LostTest, KeepsWhatIsTheClientsAndTakesBackTheRest) {
  Activate(session_, lease_, 2);
  wanted_ = 2;
  const BatchId batch = Batch(3);
  Want(session_, 9);
  Make(lease_, 1);

  const auto effects = Lose();

  EXPECT_EQ(All<effect::DropBatch>(effects)[0].batch, batch);
  EXPECT_EQ(All<effect::DiscardMade>(effects)[0].slots, 1u);
  EXPECT_EQ(StateOf(session_), SessionState::kLost);
  EXPECT_EQ(Row(session_).active, MiB(4));
  EXPECT_EQ(Row(session_).in_flight, Bytes());
  EXPECT_EQ(Row(session_).returned, MiB(8 + 6)) << "sent, made and being made";
}

TEST_F(LostTest, IsGrantedNothingAndToldNothing) {
  Activate(session_, lease_, 2);
  Lose();
  const auto effects = Step(event::SetTenant{.tenant = "a", .policy = {.limit = MiB(2)}});
  EXPECT_FALSE(Has<effect::TellTarget>(effects));
  EXPECT_FALSE(Has<effect::TellGrant>(Want(session_, 9)));
}

TEST_F(LostTest, EndsWhenItsLastBytesAreBack) {
  Batch(3);
  Lose();
  EXPECT_EQ(StateOf(session_), SessionState::kLost);
  free_ += MiB(6);
  EXPECT_TRUE(Has<effect::EndSession>(Look()));
}

TEST_F(LostTest, EndsWithItsProcess) {
  Activate(session_, lease_, 2);
  Lose();
  Step(event::ProcessEnded{.session = session_});
  free_ += MiB(4);
  EXPECT_TRUE(Has<effect::EndSession>(Look()));
}

TEST_F(LostTest, EndsWhenItsProcessComesAnewWithNothing) {
  Activate(session_, lease_, 2);
  Lose();
  const SessionId anew = Open("a", 1);
  EXPECT_EQ(StateOf(session_), SessionState::kDraining);
  free_ += MiB(4);
  Look();
  EXPECT_EQ(StateOf(session_), SessionState::kGone);
  EXPECT_EQ(StateOf(anew), SessionState::kActive);
}

TEST_F(LostTest, StaysWhereAnotherTenantOrInstanceOfItsProcessComes) {
  Activate(session_, lease_, 2);
  Lose();
  Open("b", 1);
  event::Hello other = Greeting("a", 1);
  other.instance = "second";
  Step(other);
  EXPECT_EQ(StateOf(session_), SessionState::kLost);
}

TEST_F(LostTest, APoisonedSessionKeepsItsMemoryAndGetsNoMore) {
  Activate(session_, lease_, 2);
  Want(session_, 9);
  Fetch(session_, lease_);
  FailToMake(lease_, 3);

  Step(event::Poisoned{.session = session_, .error = "illegal access"});

  EXPECT_EQ(StateOf(session_), SessionState::kPoisoned);
  EXPECT_EQ(Row(session_).active, MiB(4));
  EXPECT_FALSE(Has<effect::MakeExtents>(Look()));
  EXPECT_FALSE(Has<effect::HandOver>(Make(lease_, 4)));
  EXPECT_THAT(Step(event::ConnectionLost{.session = session_}), IsEmpty());
  Step(event::ProcessEnded{.session = session_});
  free_ = MiB(100);
  EXPECT_TRUE(Has<effect::EndSession>(Look()));
}

TEST_F(LostTest, GoodbyeWithMemoryDrains) {
  Activate(session_, lease_, 2);
  Step(event::Goodbye{.session = session_});
  EXPECT_EQ(StateOf(session_), SessionState::kDraining);
  free_ += MiB(4);
  EXPECT_TRUE(Has<effect::EndSession>(Look()));
}

TEST_F(LostTest, WhatIsNotServedYetIsSaid) {
  const auto errors = All<effect::TellError>(Step(event::Unsupported{.session = session_, .what = "Reserve"}));
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(std::string(errors[0].status.message()), "Reserve");
}

// ---------------------------------------------------------------- limits

class LimitTest : public WantTest {};

TEST_F(LimitTest, BoundsGrants) {
  Step(event::SetTenant{.tenant = "a", .policy = {.limit = MiB(7)}});
  EXPECT_EQ(All<effect::TellGrant>(Want(session_, 9))[0].total, 3u);
  EXPECT_EQ(arbiter_.Report(now_).waiting, MiB(1)) << "the limit allows this and no slot fits into it";
  Step(event::SetTenant{.tenant = "a", .policy = {.limit = std::nullopt}});
  EXPECT_EQ(Charged(), MiB(18));
}

TEST_F(LimitTest, BelowWhatIsHeldAsksForTheDifference) {
  Activate(session_, lease_, 5);

  const auto effects = Step(event::SetTenant{.tenant = "a", .policy = {.limit = MiB(4)}});

  ASSERT_EQ(All<effect::TellTarget>(effects).size(), 1u);
  EXPECT_EQ(All<effect::TellTarget>(effects)[0].max, MiB(4));
  EXPECT_THAT(All<effect::TellTarget>(effects)[0].reason, HasSubstr("limit of tenant a"));
}

TEST_F(LimitTest, ATargetIsToldOnceAndItsRevisionGrows) {
  const auto first = All<effect::TellTarget>(Step(event::SetTenant{.tenant = "a", .policy = {.limit = MiB(4)}}));
  EXPECT_FALSE(Has<effect::TellTarget>(Step(event::SetTenant{.tenant = "a", .policy = {.limit = MiB(4)}})));
  const auto second = All<effect::TellTarget>(Step(event::SetTenant{.tenant = "a", .policy = {.limit = MiB(6)}}));
  EXPECT_GT(second[0].revision, first[0].revision);
}

TEST_F(LimitTest, ATargetStaysWhereItsBytesAreOnTheirWay) {
  const SessionId second = Open("a", 2);
  const LeaseId lease = OpenArena(second);
  Activate(session_, lease_, 6);
  Activate(second, lease, 5);
  Step(event::SetTenant{.tenant = "a", .policy = {.limit = MiB(16)}});
  EXPECT_EQ(Row(session_).target, MiB(6));
  Want(session_, 3);

  Step(event::Released{.session = session_, .lease = lease_, .total = 3});
  free_ += MiB(4);
  Look();

  EXPECT_EQ(Row(second).target, MiB(16)) << "the other is asked for nothing";
}

TEST_F(LimitTest, OfAnUnknownTenantIsRefusedUnlessItIsToBeMadeKnown) {
  const auto unknown = arbiter_.CheckTenantChange({.tenant = "c", .policy = {.limit = MiB(4)}});
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kNotFound);
  const auto known = arbiter_.CheckTenantChange({.tenant = "c", .policy = {.limit = MiB(4)}, .create = true});
  ASSERT_TRUE(known.ok()) << known.status();
  EXPECT_EQ(known->revision, 1u);
  EXPECT_EQ(known->set_tenants.at("c").limit, MiB(4));
}

TEST_F(LimitTest, NothingAndEverythingAreLimits) {
  Step(event::SetTenant{.tenant = "a", .policy = {.limit = Bytes(kHuge)}});
  EXPECT_TRUE(Has<effect::TellGrant>(Want(session_, 2)));
  Step(event::SetTenant{.tenant = "a", .policy = {.limit = Bytes()}});
  EXPECT_FALSE(Has<effect::TellGrant>(Want(session_, 3)));
  EXPECT_EQ(Row(session_).target, Bytes());
}

// ---------------------------------------------------------------- numbers without sense

TEST_F(ArbiterTest, TheLargestNumbersInEveryMessageAbortNothing) {
  const SessionId session = Open();
  const LeaseId lease = OpenArena(session);
  const ArenaId arena(kHuge);
  for (const uint64_t id : {uint64_t{0}, uint64_t{1}, kHuge}) {
    for (const Event& event : std::vector<Event>{
             event::ArenaOpen{SessionId(id), {arena, {Bytes(kHuge), Bytes(kHuge)}, kHuge}},
             event::ArenaOpen{session, {arena, {Bytes(kHuge), Bytes(kHuge)}, kHuge}},
             event::Want{session, kArena, kHuge - 1, kHuge, kHuge}, event::Want{session, kArena, kHuge, 5, kHuge},
             event::Fetch{session, LeaseId(id), kHuge, BatchId(kHuge)},
             event::Fetch{session, lease, kHuge, BatchId(id)}, event::Confirm{session, lease, BatchId(kHuge)},
             event::Nack{session, lease, BatchId(kHuge), ""}, event::Released{session, lease, kHuge},
             event::ArenaClose{session, ArenaId(id + 1)}, event::SetTenant{"a", {.limit = Bytes(kHuge)}},
             event::DeviceSample{Bytes(kHuge), Bytes(kHuge)}, event::DeviceSample{Bytes(), Bytes(kHuge)},
             event::DeviceSample{Bytes(kHuge), Bytes()}}) {
      Step(event);
      arbiter_.Report(now_);
    }
  }
}

}  // namespace
}  // namespace kvbroker
