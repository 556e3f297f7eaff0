#include "cli/top_history.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

admin::v1::Snapshot Sample(uint64_t time_ms, uint64_t chat, uint64_t grants = 0) {
  admin::v1::Snapshot sample;
  sample.set_time_ms(time_ms);
  sample.mutable_status()->mutable_counters()->set_grants(grants);
  admin::v1::Tenant& tenant = *sample.add_tenants();
  tenant.set_name("chat");
  tenant.set_granted(chat);
  return sample;
}

TEST(TopHistoryTest, KeepsAValueOfEachFiveSecondsOfTheLastMinute) {
  TopHistory history;
  EXPECT_THAT(history.Granted("chat"), IsEmpty());
  for (uint64_t i = 1; i <= 25; ++i) history.Add(Sample(i * 1000, i));
  EXPECT_THAT(history.Granted("chat"), ElementsAre(4, 9, 14, 19, 24, 25));
  EXPECT_THAT(history.Granted("jobs"), ElementsAre(0, 0, 0, 0, 0, 0));
  for (uint64_t i = 26; i <= 99; ++i) history.Add(Sample(i * 1000, i));
  EXPECT_THAT(history.Granted("chat"), ElementsAre(44, 49, 54, 59, 64, 69, 74, 79, 84, 89, 94, 99));
}

TEST(TopHistoryTest, RatesAreOverTheLastTwoSeconds) {
  TopHistory history;
  history.Add(Sample(1000, 0, 0));
  EXPECT_EQ(history.BytesPerSecond("chat"), 0) << "one sample has no rate";
  history.Add(Sample(2000, 1000, 7));
  EXPECT_EQ(history.BytesPerSecond("chat"), 1000);
  history.Add(Sample(3000, 5000, 9));
  history.Add(Sample(4000, 3000, 17));
  EXPECT_EQ(history.BytesPerSecond("chat"), 1000);
  EXPECT_EQ(history.GrantsPerSecond(), 5);
  history.Add(Sample(5000, 1000, 17));
  EXPECT_EQ(history.BytesPerSecond("chat"), -2000);
}

TEST(TopHistoryTest, AnotherBrokerBeginsAnew) {
  TopHistory history;
  history.Add(Sample(5000, 3, 50));
  history.Add(Sample(100, 4, 1));
  EXPECT_THAT(history.Granted("chat"), ElementsAre(4));
  EXPECT_EQ(history.GrantsPerSecond(), 0);
}

}  // namespace
}  // namespace kvbroker::cli
