#include "client/session/holding_reporter.h"

#include <gtest/gtest.h>

namespace kvbroker {
namespace {

const absl::Time kStart = absl::UnixEpoch() + absl::Hours(1);

v1::Holding Spare(Bytes mapped, Bytes spare) { return HoldingOf(1, mapped, spare, {}, 1); }

class HoldingReporterTest : public ::testing::Test {
 protected:
  // Whether it is told, `ms` after the start.
  bool Told(const v1::Holding& holding, int ms) { return reporter_.IsDue(holding, At(ms)); }
  absl::Time At(int ms) { return kStart + absl::Milliseconds(ms); }

  HoldingReporter reporter_;
};

TEST_F(HoldingReporterTest, AChangeIsToldAtOnce) {
  EXPECT_TRUE(Told(Spare(MiB(2), MiB(2)), 0));
  EXPECT_TRUE(Told(Spare(MiB(2), MiB(0)), 60));
}

TEST_F(HoldingReporterTest, ManyChangesAreToldTwentyTimesASecondAndTheNewestCounts) {
  int told = 0;
  for (int ms = 0; ms < 1000; ++ms) told += Told(Spare(GiB(1), Bytes(ms)), ms);
  EXPECT_EQ(told, 20);
  EXPECT_TRUE(reporter_.held_back());
  EXPECT_EQ(reporter_.next(), At(1000));
  EXPECT_TRUE(Told(Spare(GiB(1), Bytes(999)), 1000));
}

TEST_F(HoldingReporterTest, WhatStaysIsRepeatedEveryFiveSeconds) {
  const v1::Holding holding = Spare(MiB(4), MiB(2));
  EXPECT_TRUE(Told(holding, 0));
  EXPECT_EQ(reporter_.next(), At(5000));
  EXPECT_FALSE(Told(holding, 4999));
  EXPECT_FALSE(reporter_.held_back()) << "there is no news in it";
  EXPECT_EQ(reporter_.next(), At(5000));
  EXPECT_TRUE(Told(holding, 5000));
}

TEST_F(HoldingReporterTest, NothingHeldIsToldOnceAndNotRepeated) {
  EXPECT_FALSE(Told(Spare(Bytes(), Bytes()), 0)) << "it never held anything";
  EXPECT_EQ(reporter_.next(), absl::InfiniteFuture());
  EXPECT_TRUE(Told(Spare(MiB(2), MiB(2)), 10));
  EXPECT_TRUE(Told(Spare(Bytes(), Bytes()), 100));
  EXPECT_FALSE(Told(Spare(Bytes(), Bytes()), 5000));
  EXPECT_EQ(reporter_.next(), absl::InfiniteFuture());
}

TEST_F(HoldingReporterTest, AnotherBrokerIsToldAnew) {
  EXPECT_TRUE(Told(Spare(MiB(2), MiB(2)), 0));
  reporter_.Forget();
  EXPECT_TRUE(Told(Spare(MiB(2), MiB(2)), 1));
}

TEST(HoldingOfTest, CarriesTheReportAndWhatTheLibraryKnows) {
  HoldingReport report = {.free = Bytes(1),
                          .compactable = Bytes(3),
                          .preemptible = Bytes(4),
                          .pinned = Bytes(5),
                          .refault = Bytes(6),
                          .response = absl::Microseconds(6500)};
  report.cached_by_age[7] = Bytes(2);
  const v1::Holding holding = HoldingOf(9, MiB(8), MiB(2), report, 33);
  EXPECT_EQ(holding.arena_id(), 9u);
  EXPECT_EQ(holding.target_revision_seen(), 33u);
  EXPECT_EQ(holding.mapped(), 8u << 20);
  EXPECT_EQ(holding.spare(), 2u << 20);
  EXPECT_EQ(holding.free(), 1u);
  ASSERT_EQ(holding.cached_by_age_size(), 8);
  EXPECT_EQ(holding.cached_by_age(7), 2u);
  EXPECT_EQ(holding.compactable(), 3u);
  EXPECT_EQ(holding.preemptible(), 4u);
  EXPECT_EQ(holding.pinned(), 5u);
  EXPECT_EQ(holding.refault_bytes(), 6u);
  EXPECT_EQ(holding.response_ms(), 7u);
}

}  // namespace
}  // namespace kvbroker
