#include "tests/replay/report.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/replay/report_for_testing.h"

namespace kvbroker::replay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(ReportTest, AddsUpWhatTheBrokerSaid) {
  const Report report = ReportForTesting();
  EXPECT_EQ(report.peak(0), GiB(8));
  EXPECT_EQ(report.sum_of_peaks(), GiB(15));
  EXPECT_EQ(report.largest_sum(), GiB(10));
  EXPECT_EQ(report.capacity(), GiB(10));
  EXPECT_EQ(report.waits().count, 4u);
  EXPECT_EQ(report.waits().max, 40);
  EXPECT_THAT(report.Problems(), IsEmpty());
}

TEST(ReportTest, OneWrongWordIsAProblem) {
  Report report = ReportForTesting();
  report.tenants[1].result.wrong_words = 1;
  EXPECT_THAT(report.Problems(), ElementsAre(HasSubstr("b: 1 words")));
  EXPECT_THAT(ToTable(report), HasSubstr("result: FAILED"));
}

TEST(ReportTest, MoreHeldThanThereIsIsAProblemWhoeverHoldsIt) {
  Report report = ReportForTesting();
  report.samples[1].held_by_others = Bytes(1);
  EXPECT_THAT(report.Problems(), ElementsAre(HasSubstr("in 1 of 3 samples")));
}

TEST(ReportTest, WhatIsOnItsWayFromOneToAnotherIsHeldOnce) {
  Report report = ReportForTesting();
  report.samples[1].held_by_others = GiB(1);
  report.samples[1].counted_twice = GiB(1);
  EXPECT_EQ(report.largest_sum(), GiB(10));
  EXPECT_THAT(report.Problems(), IsEmpty());
}

TEST(ReportTest, WhatWasNotVerifiedOrNotFinishedOrNotSeenIsAProblem) {
  Report report = ReportForTesting();
  report.tenants[0].result.verified -= 1;
  report.tenants[0].result.unfinished = 3;
  report.samples.clear();
  EXPECT_EQ(report.Problems().size(), 3u);
}

TEST(ReportTest, TheTableShowsEachTenantAndTheSum) {
  const std::string table = ToTable(ReportForTesting());
  EXPECT_THAT(table, HasSubstr("8.0 GiB"));
  EXPECT_THAT(table, HasSubstr("100/100"));
  EXPECT_THAT(table, HasSubstr("sum of the tenants' own peaks 15.0 GiB (150 % of the capacity)"));
  EXPECT_THAT(table, HasSubstr("never more than the capacity"));
  EXPECT_THAT(table, HasSubstr("result: ok"));
  EXPECT_THAT(table, Not(HasSubstr("FAILED")));
}

TEST(ReportTest, ShowsWhatWasAskedForAndGivenBack) {
  EXPECT_THAT(ToTable(ReportForTesting()), Not(HasSubstr("given back"))) << "nobody was asked";
  Report report = ReportForTesting();
  Result& result = report.tenants[0].result;
  result.targets = 3;
  result.targets_answered = 2;
  result.answers_ms = {4, 8};
  result.reclaimed = MiB(640).in_bytes();
  result.busy_held = 1;
  result.busy_needed = 2;
  report.tenants[1].result.busy_held = report.tenants[1].result.busy_needed = 2;
  report.tenants.push_back({.name = "idle"});
  for (BrokerSample& sample : report.samples) sample.held.emplace_back();
  const std::string table = ToTable(report);
  EXPECT_THAT(table, HasSubstr("given back"));
  EXPECT_THAT(table, HasSubstr("640 MiB"));
  EXPECT_THAT(table, HasSubstr("the tenants had 75.0 %; Jain's index of it 0.900"));
}

TEST(ReportTest, TheJsonIsWhole) {
  google::protobuf::Struct json;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(ToJson(ReportForTesting()), &json).ok());
  const auto& summary = json.fields().at("summary").struct_value().fields();
  EXPECT_EQ(summary.at("sum_of_peaks").number_value(), 15.0 * (1 << 30));
  EXPECT_EQ(summary.at("wrong_words").number_value(), 0);
  EXPECT_EQ(summary.at("fairness").number_value(), 1);
  EXPECT_EQ(summary.at("give_back").struct_value().fields().at("targets").number_value(), 0);
  EXPECT_EQ(json.fields().at("tenants").list_value().values_size(), 2);
  EXPECT_EQ(json.fields().at("broker_samples").struct_value().fields().at("sum_held").list_value().values_size(), 3);
}

}  // namespace
}  // namespace kvbroker::replay
