// A broker that comes after another one, with what that one's journal tells.

#include <vector>

#include "broker/core/accounts.h"
#include "broker/core/testing/arbiter_fixture.h"

namespace kvbroker {
namespace {

class RecoveryTest : public ArbiterFixture<FirstComePolicy> {
 protected:
  // Before the first look, as the daemon does.
  static Accounts Before(uint64_t held = 10, uint64_t returned = 0) {
    Accounts accounts;
    accounts.Apply(record::Session{.id = SessionId(4), .tenant = "a", .process = {.pid = 1, .start_time = 1}});
    accounts.Apply(record::Lease{.id = LeaseId(6),
                                 .session = SessionId(4),
                                 .arena = kArena,
                                 .planes = {MiB(2)},
                                 .slots = 1000,
                                 .held = held,
                                 .returned = returned});
    return accounts;
  }
  std::vector<Effect> Recover(const Accounts& accounts) { return Step(event::Recovered{accounts}); }
  event::Hello Again(uint64_t slots) {
    event::Hello hello = Greeting("a", 1);
    hello.held = {{.arena = {.id = kArena, .planes = {MiB(2)}, .slots = 1000}, .slots = slots}};
    return hello;
  }
};

TEST_F(RecoveryTest, WhatWasOutIsChargedBeforeAnybodyComes) {
  free_ = MiB(80);
  Recover(Before());
  Look();
  EXPECT_EQ(Charged(), MiB(20));
  EXPECT_EQ(StateOf(SessionId(4)), SessionState::kLost);
  EXPECT_EQ(arbiter_.Report(now_).used_by_others, Bytes());
}

TEST_F(RecoveryTest, AClientThatComesBackTakesItsPlace) {
  free_ = MiB(80);
  Recover(Before());
  const auto admitted = All<effect::Admit>(Step(Again(10)));
  ASSERT_EQ(admitted.size(), 1u);
  EXPECT_EQ(admitted[0].session, SessionId(5));
  Look();
  EXPECT_EQ(Charged(), MiB(20));
  EXPECT_EQ(StateOf(SessionId(4)), SessionState::kGone);
  EXPECT_EQ(StateOf(SessionId(5)), SessionState::kActive);
}

TEST_F(RecoveryTest, WhatItHasNoMoreIsChargedUntilItIsFree) {
  free_ = MiB(80);
  Recover(Before());
  Step(Again(6));
  Look();
  EXPECT_EQ(Charged(), MiB(20));  // the device shows them in use
  free_ = MiB(88);
  Look();
  EXPECT_EQ(Charged(), MiB(12));
}

TEST_F(RecoveryTest, WhatTheJournalMissedIsAdopted) {
  free_ = MiB(70);
  Recover(Before());
  Look();
  Step(Again(15));
  Look();
  EXPECT_EQ(Charged(), MiB(30));
}

TEST_F(RecoveryTest, MoreMayBeOnItsWayBackThanTheArenaHasSlots) {
  free_ = MiB(70);
  Recover(Before(/*held=*/5, /*returned=*/1010));
  Look();
  EXPECT_EQ(Charged(), MiB(30)) << "the device shows the others as free";
}

TEST_F(RecoveryTest, AProcessThatEndedMeanwhileGivesItBack) {
  Recover(Before());
  Step(event::ProcessEnded{.session = SessionId(4)});
  Look();
  EXPECT_EQ(Charged(), Bytes());
  EXPECT_EQ(StateOf(SessionId(4)), SessionState::kGone);
}

TEST_F(RecoveryTest, WhoHadLetGoOfEverythingEndsThoughItsProcessLives) {
  free_ = MiB(80);
  Recover(Before(/*held=*/0, /*returned=*/10));
  Look();
  EXPECT_EQ(Charged(), MiB(20));
  free_ = MiB(100);
  Look();
  EXPECT_EQ(StateOf(SessionId(4)), SessionState::kGone);
}

TEST_F(RecoveryTest, NothingIsGrantedTwice) {
  free_ = MiB(80);
  options_.device.cap = MiB(40);
  Arbiter arbiter(options_, policy_);
  arbiter.Step(event::Recovered{Before()}, now_);
  arbiter.Step(event::DeviceSample{.total = MiB(100), .free = free_}, now_);
  const auto admitted = All<effect::Admit>(arbiter.Step(Greeting("b", 2), now_));
  ASSERT_EQ(admitted.size(), 1u);
  arbiter.Step(
      event::ArenaOpen{.session = admitted[0].session, .arena = {.id = kArena, .planes = {MiB(2)}, .slots = 1000}},
      now_);
  const auto made = All<effect::MakeExtents>(
      arbiter.Step(event::Want{.session = admitted[0].session, .arena = kArena, .revision = 1, .slots = 1000}, now_));
  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].slots, 10u);  // 40 MiB in all, 20 of which are out
}

TEST_F(RecoveryTest, ATenantThatIsConfiguredNoMoreKeepsItsAccount) {
  Accounts accounts = Before();
  accounts.Apply(record::Session{.id = SessionId(4), .tenant = "gone", .process = {.pid = 1, .start_time = 1}});
  Recover(accounts);
  EXPECT_EQ(Row(SessionId(4)).charged, MiB(20));
}

TEST_F(RecoveryTest, WhatMakesNoSenseIsPassedOver) {
  Accounts accounts = Before();
  const record::Lease good = accounts.leases().at(LeaseId(6));
  auto add = [&, next = uint64_t{7}](record::Lease bad) mutable {
    bad.id = LeaseId(next++);
    accounts.Apply(bad);
  };
  record::Lease bad = good;
  add(bad);  // the same arena twice
  bad.arena = ArenaId(2);
  bad.held = 1001;
  add(bad);
  bad.held = 1;
  bad.returned = UINT64_MAX;
  add(bad);
  bad.returned = 0;
  bad.planes = {Bytes(1)};
  add(bad);
  accounts.Apply(record::Session{.id = SessionId(9), .tenant = "no name"});
  size_t passed_over = 0;
  for (const effect::Note& note : All<effect::Note>(Recover(accounts))) {
    passed_over += note.text.ends_with("; passed over") ? 1 : 0;
  }
  EXPECT_EQ(Charged(), MiB(20));
  EXPECT_EQ(passed_over, 5u);
}

TEST_F(RecoveryTest, MoreThanABrokerCanHaveIsPassedOver) {
  Accounts accounts;
  for (uint64_t id = 1; id <= Arbiter::kMostSessions + 1; ++id) {
    accounts.Apply(record::Session{.id = SessionId(id), .tenant = "a", .process = {.pid = 1, .start_time = 1}});
  }
  // As many bytes as can be: those of all together are more than 2^64.
  const record::Lease most = {.planes = {GiB(64)}, .slots = 1024, .held = 1024, .returned = 1024};
  for (uint64_t id = 1; id <= 140'000; ++id) {
    record::Lease lease = most;
    lease.id = LeaseId(id);
    lease.session = SessionId(1 + id % (Arbiter::kMostSessions + 1));
    lease.arena = ArenaId(id);
    accounts.Apply(lease);
  }
  Recover(accounts);
  const BrokerReport report = arbiter_.Report(now_);
  EXPECT_EQ(report.sessions.size(), Arbiter::kMostSessions);
  EXPECT_EQ(report.charged, GiB(64) * 2048 * Arbiter::kMostSessions * Arbiter::kMostArenas);
}

// What is kept of a broker's steps is what it had out, after each of them.
TEST_F(RecoveryTest, TheJournalSaysWhatIsOut) {
  Accounts kept;
  const auto step = [&](const Event& event) {
    std::vector<Effect> effects = Step(event);
    for (size_t i = 0; i < effects.size(); ++i) {
      const auto* journal = std::get_if<effect::Journal>(&effects[i]);
      if (journal == nullptr) continue;
      EXPECT_EQ(i, 0u) << "what is kept is kept before anybody sees it";
      for (const Record& record : journal->records) kept.Apply(record);
    }
    return effects;
  };
  const auto out = [&] {
    return kept.leases().empty() ? 0 : kept.leases().begin()->second.held + kept.leases().begin()->second.returned;
  };

  const SessionId session = All<effect::Admit>(step(Greeting("a", 1)))[0].session;
  EXPECT_EQ(kept.sessions().count(session), 1u);
  const LeaseId lease = All<effect::TellArenaOpened>(step(
      event::ArenaOpen{.session = session, .arena = {.id = kArena, .planes = {MiB(2)}, .slots = 1000}}))[0]
                            .lease;
  step(event::Want{.session = session, .arena = kArena, .revision = 1, .slots = 5});
  free_ -= MiB(10);
  step(event::Made{.lease = lease, .slots = 5});
  EXPECT_EQ(out(), 0u);
  const auto batch = All<effect::HandOver>(step(event::Fetch{.session = session, .lease = lease, .max_slots = 3}));
  EXPECT_EQ(out(), 3u);
  step(event::Confirm{.session = session, .lease = lease, .batch = batch[0].batch});
  step(event::Want{.session = session, .arena = kArena, .revision = 2, .slots = 0});
  step(event::Released{.session = session, .lease = lease, .total = 3});
  EXPECT_GE(out(), 3u);  // let go of, and not seen as free
  free_ = MiB(100);
  step(event::DeviceSample{.total = MiB(100), .free = free_});
  EXPECT_EQ(out(), 0u);
  step(event::Goodbye{.session = session});
  EXPECT_TRUE(kept.sessions().empty());
}

}  // namespace
}  // namespace kvbroker
