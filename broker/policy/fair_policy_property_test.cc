// What holds of every plan, tried on some thousand snapshots. A failure names its seed: RandomSnapshot(seed) is the case.

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/policy/fair_policy.h"
#include "broker/policy/saturating.h"
#include "broker/policy/testing/max_min_oracle.h"
#include "broker/policy/testing/random_snapshot.h"
#include "broker/policy/testing/snapshot_builder.h"
#include "broker/policy/trims.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

constexpr uint64_t kSnapshots = 4'000;

PolicyPlan Plan(const PolicySnapshot& snapshot) { return FairPolicy().Plan(snapshot); }

// What a snapshot's tenant has, found by plain sums.
struct Sums {
  explicit Sums(const PolicySnapshot& snapshot)
      : held(snapshot.tenants.size()), granted(held), asked(held), largest_slot(held) {
    for (const PolicySnapshot::Session& session : snapshot.sessions) held[session.tenant] += session.Held();
    for (const PolicySnapshot::Lease& lease : snapshot.leases) {
      largest_slot[lease.tenant] = std::max(largest_slot[lease.tenant], lease.slot);
    }
  }
  Sums(const PolicySnapshot& snapshot, const PolicyPlan& plan) : Sums(snapshot) {
    for (const PolicyPlan::Grant& grant : plan.grants) {
      for (const PolicySnapshot::Lease& lease : snapshot.leases) {
        if (lease.id == grant.lease) granted[lease.tenant] += lease.slot * grant.slots;
      }
    }
    for (size_t s = 0; s < snapshot.sessions.size(); ++s) {
      const PolicySnapshot::Session& session = snapshot.sessions[s];
      asked[session.tenant] += MinusOrZero(session.Held(), plan.targets[s].max.value_or(kMostBytes));
    }
  }
  std::vector<Bytes> held;  // by active sessions
  std::vector<Bytes> granted;
  std::vector<Bytes> asked;
  std::vector<Bytes> largest_slot;
};

Bytes SumOf(const std::vector<Bytes>& parts) {
  Bytes sum;
  for (const Bytes bytes : parts) sum = Plus(sum, bytes);
  return sum;
}

Bytes Immovable(const PolicySnapshot& snapshot, const Sums& sums, size_t i) {
  return MinusOrZero(snapshot.tenants[i].Held(), sums.held[i]);
}

// Capacity less room, what cannot be moved, what is reserved or pinned and not wanted, and what stays unlent.
Bytes Distributable(const PolicySnapshot& snapshot, const Sums& sums, const PolicyPlan& plan) {
  Bytes rest = MinusOrZero(snapshot.capacity, snapshot.room_short);
  for (size_t i = 0; i < snapshot.tenants.size(); ++i) {
    const Bytes immovable = Immovable(snapshot, sums, i);
    rest = MinusOrZero(rest, immovable);
    const Bytes reserved = MinusOrZero(snapshot.tenants[i].policy.reserved, immovable);
    Bytes pinned;
    for (const PolicySnapshot::Session& session : snapshot.sessions) {
      if (session.tenant == i) pinned += std::min(session.Held(), session.holding.pinned);
    }
    rest = MinusOrZero(rest, MinusOrZero(std::max(reserved, pinned), plan.shares[i].wanted));
  }
  return MinusOrZero(rest, StaysUnlent(snapshot));
}

// Each snapshot without trimmable bytes, and with some.
template <typename Check>
void ForAll(Numbers numbers, Check check) {
  for (uint64_t seed = 1; seed <= kSnapshots; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const PolicySnapshot snapshot = RandomSnapshot(seed, numbers);
    check(snapshot, seed);
    check(WithTrimmable(snapshot, seed, numbers), seed);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(FairPolicyPropertyTest, GrantsFitIntoWhatIsAvailableAndWhatTheLimitLeaves) {
  ForAll(Numbers::kUsual, [](const PolicySnapshot& snapshot, uint64_t) {
    const Sums sums(snapshot, Plan(snapshot));
    EXPECT_LE(SumOf(sums.granted), snapshot.available);
    for (size_t i = 0; i < snapshot.tenants.size(); ++i) {
      const PolicySnapshot::Tenant& tenant = snapshot.tenants[i];
      EXPECT_LE(sums.granted[i], MinusOrZero(tenant.MayHold().value_or(kMostBytes), tenant.charged));
    }
  });
}

TEST(FairPolicyPropertyTest, NobodyIsGrantedMoreThanItsEntitlementButForPartOfASlot) {
  ForAll(Numbers::kUsual, [](const PolicySnapshot& snapshot, uint64_t) {
    const PolicyPlan plan = Plan(snapshot);
    const Sums sums(snapshot, plan);
    for (size_t i = 0; i < snapshot.tenants.size(); ++i) {
      if (sums.granted[i].IsZero()) continue;
      EXPECT_LT(sums.held[i] + sums.granted[i], plan.shares[i].entitled + sums.largest_slot[i]) << i;
    }
  });
}

TEST(FairPolicyPropertyTest, GrantsAreOfUse) {
  ForAll(Numbers::kUsual, [](const PolicySnapshot& snapshot, uint64_t) {
    for (const PolicyPlan::Grant& grant : Plan(snapshot).grants) {
      const PolicySnapshot::Lease& lease = snapshot.leases[grant.lease.value() - 1];
      EXPECT_GE(grant.slots, lease.Least());
      EXPECT_LE(grant.slots, lease.wanted - lease.held);
    }
  });
}

TEST(FairPolicyPropertyTest, NothingIsGrantedOutOfOthersReserves) {
  ForAll(Numbers::kUsual, [](const PolicySnapshot& snapshot, uint64_t) {
    const Sums sums(snapshot, Plan(snapshot));
    Bytes beyond;  // granted beyond the own reserves
    Bytes missing_before;
    for (size_t i = 0; i < snapshot.tenants.size(); ++i) {
      const Bytes reserved = MinusOrZero(snapshot.tenants[i].policy.reserved, Immovable(snapshot, sums, i));
      const Bytes missing = MinusOrZero(reserved, sums.held[i]);
      missing_before += missing;
      beyond += MinusOrZero(sums.granted[i], missing);
    }
    EXPECT_LE(beyond, MinusOrZero(snapshot.available, missing_before));
  });
}

TEST(FairPolicyPropertyTest, WithRoomShortOnlyAssuredBytesAreGranted) {
  ForAll(Numbers::kUsual, [](const PolicySnapshot& snapshot, uint64_t) {
    if (snapshot.room_short.IsZero()) return;
    const Sums sums(snapshot, Plan(snapshot));
    for (size_t i = 0; i < snapshot.tenants.size(); ++i) {
      if (sums.granted[i].IsZero()) continue;
      EXPECT_LE(sums.held[i] + sums.granted[i], snapshot.tenants[i].policy.assured());
    }
  });
}

TEST(FairPolicyPropertyTest, TargetsLeaveEverybodyItsEntitlement) {
  ForAll(Numbers::kUsual, [](const PolicySnapshot& snapshot, uint64_t) {
    const PolicyPlan plan = Plan(snapshot);
    const Sums sums(snapshot, plan);
    // Less than a slot below it, where something more urgent than a share lacks it.
    Bytes slot;
    for (const PolicySnapshot::Lease& lease : snapshot.leases) slot = std::max(slot, lease.slot);
    for (size_t i = 0; i < snapshot.tenants.size(); ++i) {
      const Bytes least = std::min(sums.held[i], plan.shares[i].entitled);
      const Bytes left = sums.held[i] - sums.asked[i];
      const Bytes assured = MinusOrZero(snapshot.tenants[i].policy.assured(), Immovable(snapshot, sums, i));
      EXPECT_GE(left, std::min(least, assured));
      const bool urgent = std::any_of(plan.targets.begin(), plan.targets.end(),
                                      [](const PolicyPlan::Target& target) { return target.urgent; });
      EXPECT_GE(left + (urgent ? slot : Bytes()), least);
    }
    EXPECT_EQ(SumOf(sums.asked), plan.asked);
  });
}

TEST(FairPolicyPropertyTest, WhoIsAskedToGiveBackIsGrantedNothing) {
  ForAll(Numbers::kUsual, [](const PolicySnapshot& snapshot, uint64_t) {
    const PolicyPlan plan = Plan(snapshot);
    for (const PolicyPlan::Grant& grant : plan.grants) {
      const size_t s = snapshot.leases[grant.lease.value() - 1].session;
      EXPECT_GE(plan.targets[s].max.value_or(kMostBytes), snapshot.sessions[s].Held());
    }
  });
}

TEST(FairPolicyPropertyTest, NothingIsEntitledTwiceAndNothingIsLeftOver) {
  ForAll(Numbers::kUsual, [](const PolicySnapshot& snapshot, uint64_t) {
    const PolicyPlan plan = Plan(snapshot);
    Bytes entitled;
    Bytes wanted;
    for (const PolicyPlan::Share& share : plan.shares) {
      EXPECT_LE(share.entitled, share.wanted);
      entitled += share.entitled;
      wanted += share.wanted;
    }
    const Bytes all = std::min(wanted, Distributable(snapshot, Sums(snapshot), plan));
    EXPECT_LE(entitled, all);
    EXPECT_GE(entitled + Bytes(4 * snapshot.tenants.size()), all);
  });
}

TEST(FairPolicyPropertyTest, SharesAreThoseOfTheOracle) {
  const Bytes quantum = MiB(16);
  ForAll(Numbers::kUsual, [&](const PolicySnapshot& snapshot, uint64_t seed) {
    if (seed > kSnapshots / 4) return;  // the oracle is slow
    const PolicyPlan plan = Plan(snapshot);
    const std::vector<Bytes> expected = EntitledByQuanta(snapshot, plan.turn, quantum);
    const Bytes most = quantum * (snapshot.tenants.size() + 1);
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_LE(MinusOrZero(plan.shares[i].entitled, expected[i]), most) << i;
      EXPECT_LE(MinusOrZero(expected[i], plan.shares[i].entitled), most) << i;
    }
  });
}

// By name and id.
std::map<std::string, std::string> Readable(const PolicySnapshot& snapshot, const PolicyPlan& plan) {
  std::map<std::string, std::string> all;
  for (size_t i = 0; i < plan.shares.size(); ++i) {
    all["share " + snapshot.tenants[i].name] =
        absl::StrCat(plan.shares[i].wanted.in_bytes(), " ", plan.shares[i].entitled.in_bytes());
  }
  for (size_t l = 0; l < plan.verdicts.size(); ++l) {
    const PolicyPlan::Verdict& verdict = plan.verdicts[l];
    all[absl::StrCat("verdict ", snapshot.leases[l].id.value())] =
        absl::StrCat(static_cast<int>(verdict.rule), " ",
                     verdict.because_of.has_value() ? snapshot.tenants[*verdict.because_of].name : "");
  }
  for (const PolicyPlan::Grant& grant : plan.grants)
    all[absl::StrCat("grant ", grant.lease.value())] = absl::StrCat(grant.slots);
  for (const PolicyPlan::Target& target : plan.targets) {
    all[absl::StrCat("target ", target.session.value())] =
        absl::StrCat(target.max.value_or(kMostBytes).in_bytes(), " ", target.reason, " ", target.urgent, " ",
                     absl::FormatDuration(target.within));
  }
  for (const PolicyPlan::Trim& trim : plan.trims) {
    all[absl::StrCat("trim ", trim.session.value())] = absl::StrCat(trim.bytes.in_bytes());
  }
  all["turn"] = plan.turn.has_value() ? snapshot.tenants[*plan.turn].name : "";
  all["rest"] =
      absl::StrCat(plan.guarantee_at_risk.in_bytes(), " ", plan.asked.in_bytes(), " ",
                   absl::FormatDuration(plan.eviction_age.value_or(absl::ZeroDuration())), " ", plan.awaits_trims);
  return all;
}

TEST(FairPolicyPropertyTest, OrderDecidesNothing) {
  ForAll(Numbers::kUsual, [](const PolicySnapshot& snapshot, uint64_t seed) {
    const PolicySnapshot shuffled = Shuffled(snapshot, seed);
    EXPECT_EQ(Readable(snapshot, Plan(snapshot)), Readable(shuffled, Plan(shuffled)));
  });
}

TEST(FairPolicyPropertyTest, TheSamePlanAgainAsksForNothingMore) {
  ForAll(Numbers::kUsual, [](PolicySnapshot snapshot, uint64_t) {
    const PolicyPlan plan = Plan(snapshot);
    for (size_t s = 0; s < plan.targets.size(); ++s) snapshot.sessions[s].target = plan.targets[s].max;
    for (PolicySnapshot::Session& session : snapshot.sessions) {
      for (const PolicyPlan::Trim& trim : plan.trims) {
        if (trim.session == session.id) session.trim_asked = trim.bytes;
        if (trim.session == session.id) session.trim_asked_for = absl::ZeroDuration();
      }
    }
    const PolicyPlan again = Plan(snapshot);
    EXPECT_TRUE(again.trims.empty());
    for (size_t s = 0; s < plan.targets.size(); ++s) EXPECT_EQ(again.targets[s].max, plan.targets[s].max) << s;
    EXPECT_EQ(again.asked, plan.asked);
  });
}

TEST(FairPolicyPropertyTest, APlanThatWasCarriedOutGrantsNothingMore) {
  ForAll(Numbers::kUsual, [](const PolicySnapshot& snapshot, uint64_t) {
    const PolicyPlan plan = Plan(snapshot);
    const PolicySnapshot next = CarriedOut(snapshot, plan);  // the reports are as old as before: what is lent stays so
    const PolicyPlan again = Plan(next);
    if (again.turn != plan.turn) return;  // who has got what it needed passes its turn on
    EXPECT_TRUE(again.grants.empty());
  });
}

TEST(FairPolicyPropertyTest, GrantsPutNoGuaranteeAtRisk) {
  ForAll(Numbers::kUsual, [](PolicySnapshot snapshot, uint64_t) {
    const PolicyPlan plan = Plan(snapshot);
    for (PolicySnapshot::Lease& lease : snapshot.leases) lease.wanted = std::min(lease.wanted, lease.held);
    const PolicyPlan without_grants = Plan(snapshot);
    EXPECT_TRUE(without_grants.grants.empty());
    EXPECT_LE(plan.guarantee_at_risk, without_grants.guarantee_at_risk);
  });
}

// The broker and clients that obey at once: after a few rounds nothing moves any more, and nobody waits for a slot while
// another one holds more than its entitlement.
TEST(FairPolicyPropertyTest, ObedientClientsComeToRest) {
  ForAll(Numbers::kUsual, [](PolicySnapshot snapshot, uint64_t seed) {
    if (seed > kSnapshots / 4) return;
    for (PolicySnapshot::Tenant& tenant : snapshot.tenants) tenant.floor = MiB(64);  // no turns
    for (PolicySnapshot::Session& session : snapshot.sessions) session.missed_target = false;
    PolicyPlan plan;
    int rounds = 0;  // in which somebody was asked; lending may go slot by slot, each when the one before is reported
    int grants = 0;
    for (bool moved = true; moved && rounds < 40 && grants < 4000;) {
      plan = Plan(snapshot);
      moved = !plan.grants.empty() || !plan.asked.IsZero() || !plan.trims.empty();
      ++(plan.asked.IsZero() && plan.trims.empty() ? grants : rounds);
      snapshot = Obeyed(CarriedOut(snapshot, plan));
    }
    EXPECT_LT(rounds, 40);
    EXPECT_LT(grants, 4000);
  });
}

TEST(FairPolicyPropertyTest, MoreWeightIsNeverLess) {
  ForAll(Numbers::kUsual, [](PolicySnapshot snapshot, uint64_t seed) {
    const size_t i = seed % snapshot.tenants.size();
    const PolicyPlan before = Plan(snapshot);
    snapshot.tenants[i].policy.weight += 1 + static_cast<uint32_t>(seed % 500);
    const PolicyPlan after = Plan(snapshot);
    if (before.turn != after.turn) return;  // it needs no turn any more, or another one does
    EXPECT_GE(after.shares[i].entitled + Bytes(4), before.shares[i].entitled);
  });
}

TEST(FairPolicyPropertyTest, TwinsAreEntitledToTheSame) {
  ForAll(Numbers::kUsual, [](PolicySnapshot snapshot, uint64_t seed) {
    const size_t i = seed % snapshot.tenants.size();
    const size_t twin = snapshot.tenants.size();
    snapshot.tenants.push_back(snapshot.tenants[i]);
    snapshot.tenants.back().name = "twin";
    const size_t sessions = snapshot.sessions.size();
    for (size_t s = 0; s < sessions; ++s) {
      if (snapshot.sessions[s].tenant != i) continue;
      PolicySnapshot::Session session = snapshot.sessions[s];
      session.tenant = twin;
      session.id = SessionId(snapshot.sessions.size() + 1);
      const size_t leases = snapshot.leases.size();
      for (size_t l = 0; l < leases; ++l) {
        if (snapshot.leases[l].session != s) continue;
        PolicySnapshot::Lease lease = snapshot.leases[l];
        lease.tenant = twin;
        lease.session = snapshot.sessions.size();
        lease.id = LeaseId(snapshot.leases.size() + 1);
        snapshot.leases.push_back(lease);
      }
      snapshot.sessions.push_back(session);
    }
    const PolicyPlan plan = Plan(snapshot);
    const bool had_the_turn = snapshot.turn.has_value() && snapshot.turn->tenant == i;
    if (had_the_turn || plan.turn.has_value()) return;  // one of them may have it
    EXPECT_EQ(plan.shares[i].entitled, plan.shares[twin].entitled);
  });
}

TEST(FairPolicyPropertyTest, WithoutTrimmableBytesNobodyIsAskedForThemAndNobodyWaitsForThem) {
  for (uint64_t seed = 1; seed <= kSnapshots; ++seed) {
    const PolicyPlan plan = Plan(RandomSnapshot(seed));
    EXPECT_TRUE(plan.trims.empty()) << seed;
    EXPECT_FALSE(plan.awaits_trims) << seed;
  }
}

TEST(FairPolicyPropertyTest, WhatIsNotWorthATrimOrWasAskedForInVainChangesNothing) {
  for (uint64_t seed = 1; seed <= kSnapshots; ++seed) {
    const PolicySnapshot without = RandomSnapshot(seed);
    PolicySnapshot snapshot = without;
    for (PolicySnapshot::Session& session : snapshot.sessions) {
      const bool in_vain = (seed + session.id.value()) % 2 == 0;
      session.trimmable = in_vain ? GiB(seed) : kLeastTrim - Bytes(1);
      session.trim_asked = in_vain ? GiB(1) : Bytes();
      session.trim_asked_for = in_vain ? kTrimComes : absl::InfiniteDuration();
    }
    ASSERT_EQ(Readable(snapshot, Plan(snapshot)), Readable(without, Plan(without))) << seed;
  }
}

// But for targets and what hangs on them: nobody's share, turn or promise is another one for what somebody could let go of.
TEST(FairPolicyPropertyTest, TrimmableBytesAreNobodysAndNoTrimAsksForMoreThanThereIs) {
  ForAll(Numbers::kUsual, [](const PolicySnapshot& snapshot, uint64_t) {
    PolicySnapshot without = snapshot;
    for (PolicySnapshot::Session& session : without.sessions) session.trimmable = session.trim_asked = Bytes();
    const PolicyPlan plan = Plan(snapshot);
    const PolicyPlan plain = Plan(without);
    EXPECT_EQ(plan.turn, plain.turn);
    for (size_t i = 0; i < plan.shares.size(); ++i) EXPECT_EQ(plan.shares[i].entitled, plain.shares[i].entitled) << i;
    EXPECT_LE(plan.asked, plain.asked);
    std::map<SessionId, Bytes> asked;
    for (const PolicyPlan::Trim& trim : plan.trims) {
      EXPECT_TRUE(asked.emplace(trim.session, trim.bytes).second) << "once";
      const PolicySnapshot::Session& session = snapshot.sessions[trim.session.value() - 1];
      EXPECT_LE(trim.bytes, session.trimmable);
      EXPECT_GE(trim.bytes, kLeastTrim);
      EXPECT_GE(session.trim_asked_for, session.trim_asked.IsZero() ? kTrimComes : kTrimAgain);
    }
  });
}

// Whatever sessions claim, it delays what others are asked for by kTrimComes, and no more.
TEST(FairPolicyPropertyTest, WhereTrimsWereWaitedForLongEnoughTargetsAreAsWithoutThem) {
  ForAll(Numbers::kHostile, [](PolicySnapshot snapshot, uint64_t) {
    snapshot.trims_awaited = kTrimComes;
    PolicySnapshot without = snapshot;
    for (PolicySnapshot::Session& session : without.sessions) session.trimmable = session.trim_asked = Bytes();
    PolicyPlan plan = Plan(snapshot);
    plan.trims.clear();
    EXPECT_EQ(Readable(snapshot, plan), Readable(without, Plan(without)));
  });
}

TEST(FairPolicyPropertyTest, NoNumbersBreakIt) {
  ForAll(Numbers::kHostile, [](const PolicySnapshot& snapshot, uint64_t) {
    const PolicyPlan plan = Plan(snapshot);
    const Sums sums(snapshot, plan);
    EXPECT_LE(SumOf(sums.granted), snapshot.available);
    EXPECT_EQ(plan.targets.size(), snapshot.sessions.size());
    EXPECT_EQ(plan.verdicts.size(), snapshot.leases.size());
  });
}

}  // namespace
}  // namespace kvbroker
