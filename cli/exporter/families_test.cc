#include "cli/exporter/families.h"

#include <prometheus/check_names.h>
#include <prometheus/text_serializer.h>

#include <string>
#include <vector>

#include "cli/testing/fake_broker.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

BrokerView SampleBroker(const std::string& uuid = "GPU-1", const std::string& gpu = "0") {
  return {.uuid = uuid,
          .gpu = gpu,
          .answers = Answers{.status = SampleStatus(), .tenants = SampleTenants(), .sessions = SampleSessions()}};
}

std::string Text(const std::vector<BrokerView>& brokers, double now_s = 1'800'000'000) {
  return prometheus::TextSerializer().Serialize(FamiliesOf(brokers, now_s));
}

TEST(FamiliesTest, EachSampleNamesTheDeviceAsDcgmExporterDoes) {
  EXPECT_THAT(Text({SampleBroker()}),
              HasSubstr("kvbroker_memory_granted_bytes{gpu=\"0\",UUID=\"GPU-1\"} 13421772800\n"));
}

TEST(FamiliesTest, AFamilyHasTheSamplesOfAllBrokers) {
  const std::string text = Text({SampleBroker("GPU-1", "0"), SampleBroker("GPU-2", "1")});
  EXPECT_THAT(text,
              HasSubstr("kvbroker_epoch{gpu=\"0\",UUID=\"GPU-1\"} 3\nkvbroker_epoch{gpu=\"1\",UUID=\"GPU-2\"} 3\n"));
}

TEST(FamiliesTest, OfABrokerThatDoesNotAnswerNothingIsSaidButThat) {
  const std::string text = Text({{.uuid = "GPU-1", .gpu = "0"}});
  EXPECT_THAT(text, HasSubstr("kvbroker_up{gpu=\"0\",UUID=\"GPU-1\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("granted")));
}

TEST(FamiliesTest, ATenantWithoutALimitHasNoSampleOfIt) {
  const std::string text = Text({SampleBroker()});
  EXPECT_THAT(text, HasSubstr("kvbroker_tenant_limit_bytes{gpu=\"0\",UUID=\"GPU-1\",tenant=\"chat\"} 10737418240\n"));
  EXPECT_THAT(text, Not(HasSubstr("kvbroker_tenant_limit_bytes{gpu=\"0\",UUID=\"GPU-1\",tenant=\"batch\"}")));
}

TEST(FamiliesTest, HoldingsAreByTenantAndPrice) {
  const std::string text = Text({SampleBroker()});
  EXPECT_THAT(text, HasSubstr("kvbroker_tenant_holding_bytes{gpu=\"0\",UUID=\"GPU-1\",tenant=\"chat\",price=\"spare\"} "
                              "268435456\n"));
  EXPECT_THAT(text, HasSubstr("tenant=\"chat\",price=\"cached_4s\"} 536870912\n"));
}

TEST(FamiliesTest, StatesWithoutASessionHaveARowToo) {
  EXPECT_THAT(Text({SampleBroker()}), HasSubstr("kvbroker_session_bytes{gpu=\"0\",UUID=\"GPU-1\",state=\"lost\"} 0\n"));
}

TEST(FamiliesTest, BucketsOfAHistogramHaveAllThatWasQuicker) {
  BrokerView broker = SampleBroker();
  admin::v1::Latencies& grants = *broker.answers->tenants.mutable_tenants(0)->mutable_grants();
  for (const double bound : {0.5, 1.0}) grants.add_upper_bound_s(bound);
  for (const uint64_t count : {3, 0, 2}) grants.add_count(count);
  grants.set_sum_s(9.5);
  const std::string text = Text({broker});
  const std::string name = "kvbroker_tenant_grant_seconds";
  const std::string labels = "{gpu=\"0\",UUID=\"GPU-1\",tenant=\"batch\"";
  EXPECT_THAT(text, HasSubstr(name + "_bucket" + labels + ",le=\"0.5\"} 3\n"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket" + labels + ",le=\"1\"} 3\n"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket" + labels + ",le=\"+Inf\"} 5\n"));
  EXPECT_THAT(text, HasSubstr(name + "_sum" + labels + "} 9.5\n"));
}

TEST(FamiliesTest, ABrokerStartedItsUptimeAgo) {
  EXPECT_THAT(Text({SampleBroker()}, 1'800'000'000),
              HasSubstr("kvbroker_start_time_seconds{gpu=\"0\",UUID=\"GPU-1\"} 1799996250\n"));
}

TEST(FamiliesTest, NamesAreGoodOnesAndAllHaveHelp) {
  for (const prometheus::MetricFamily& family : FamiliesOf({SampleBroker()}, 0)) {
    EXPECT_TRUE(prometheus::CheckMetricName(family.name)) << family.name;
    EXPECT_THAT(family.help, EndsWith(".")) << family.name;
    const bool counts = family.type == prometheus::MetricType::Counter;
    EXPECT_EQ(counts, testing::Matches(EndsWith("_total"))(family.name)) << family.name;
    for (const auto& metric : family.metric) {
      for (const auto& label : metric.label) EXPECT_TRUE(prometheus::CheckLabelName(label.name)) << label.name;
    }
  }
}

}  // namespace
}  // namespace kvbroker::cli
