#include "client/arena/holding_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

// Eleven classes of 1 MiB each.
HoldingReport EachOneMiB() {
  HoldingReport report = {.free = MiB(1), .compactable = MiB(1), .preemptible = MiB(1), .pinned = MiB(1)};
  report.cached_by_age.fill(MiB(1));
  return report;
}

TEST(HoldingReportTest, ClassesThatFillTheArenaAreAccepted) {
  EXPECT_TRUE(CheckHoldingReport(EachOneMiB(), MiB(12)).ok());
  EXPECT_TRUE(CheckHoldingReport({}, Bytes(1)).ok());
}

TEST(HoldingReportTest, TheClassThatIsTooMuchIsNamed) {
  EXPECT_THAT(std::string(CheckHoldingReport(EachOneMiB(), Bytes(1)).message()), HasSubstr("free is 1048576"));
  EXPECT_THAT(std::string(CheckHoldingReport(EachOneMiB(), MiB(3)).message()), HasSubstr("cached_by_age[2]"));
  EXPECT_THAT(std::string(CheckHoldingReport(EachOneMiB(), MiB(9)).message()), HasSubstr("compactable"));
  EXPECT_THAT(std::string(CheckHoldingReport(EachOneMiB(), MiB(10)).message()), HasSubstr("preemptible"));
  EXPECT_THAT(std::string(CheckHoldingReport(EachOneMiB(), MiB(11)).message()), HasSubstr("pinned"));
  EXPECT_EQ(CheckHoldingReport(EachOneMiB(), MiB(11)).code(), absl::StatusCode::kInvalidArgument);
}

TEST(HoldingReportTest, SumsPastTheLargestNumberAreRefused) {
  const Bytes most(UINT64_MAX);
  EXPECT_FALSE(CheckHoldingReport({.free = most, .compactable = most, .pinned = Bytes(2)}, GiB(1)).ok());
}

TEST(HoldingReportTest, WhatWasComputedAgainIsNotBounded) {
  EXPECT_TRUE(CheckHoldingReport({.refault = GiB(1000)}, MiB(1)).ok());
}

}  // namespace
}  // namespace kvbroker
