#include "tests/replay/workload.h"

#include "gtest/gtest.h"

namespace kvbroker::replay {
namespace {

constexpr char kAzure[] = "tests/replay/testdata/azure.csv";
constexpr char kBurst[] = "tests/replay/testdata/burstgpt.csv";

TEST(WorkloadTest, MakesUpRequestsForEachTenantAndCutsThem) {
  Options options;
  options.load = {.peak_rate = 10, .ramp = absl::Seconds(10)};
  EXPECT_EQ(MakeWorkload(options)->at(2).size(), 100u);
  options.max_requests = 7;
  EXPECT_EQ(MakeWorkload(options)->at(2).size(), 7u);
  options.duration = absl::Seconds(20);
  EXPECT_EQ(MakeWorkload(options)->at(2).size(), 0u) << "its ramp starts later";
}

TEST(WorkloadTest, DealsATraceOutAndScalesItsTime) {
  Options options;
  options.tenants = {"a", "b"};
  options.traces = {{.path = kAzure}};
  options.time_scale = 2;
  const auto workload = MakeWorkload(options);
  ASSERT_TRUE(workload.ok()) << workload.status();
  EXPECT_EQ(workload->at(0).size(), 4u);
  EXPECT_EQ(workload->at(1).back().arrival, absl::Seconds(2.5));
}

TEST(WorkloadTest, GivesATenantItsOwnTraceAndTheOthersTheRest) {
  Options options;
  options.tenants = {"a", "b", "c"};
  options.traces = {{.tenant = "b", .path = kBurst, .model = "GPT-4"}, {.path = kAzure}};
  const auto workload = MakeWorkload(options);
  ASSERT_TRUE(workload.ok()) << workload.status();
  EXPECT_EQ(workload->at(0).size(), 4u);
  EXPECT_EQ(workload->at(1).size(), 2u);
  EXPECT_EQ(workload->at(2).size(), 4u);
}

TEST(WorkloadTest, RefusesATenantWithoutATraceAndATraceWithoutATenant) {
  Options options;
  options.tenants = {"a", "b"};
  options.traces = {{.tenant = "a", .path = kAzure}};
  EXPECT_EQ(MakeWorkload(options).status().code(), absl::StatusCode::kInvalidArgument);
  options.traces = {{.tenant = "a", .path = kAzure}, {.tenant = "b", .path = kAzure}, {.path = kBurst}};
  EXPECT_EQ(MakeWorkload(options).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace kvbroker::replay
