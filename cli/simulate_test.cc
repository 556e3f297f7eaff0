#include "cli/simulate.h"

#include "cli/testing/fake_broker.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::StartsWith;

constexpr uint64_t kGiB = uint64_t{1} << 30;

TEST(RenderSimulationTest, ComparesTheSharesOfAllTenants) {
  admin::v1::SimulateRequest request;
  request.mutable_change()->set_tenant("chat");
  request.set_want(14 * kGiB);
  EXPECT_EQ(RenderSimulation(request, SampleSimulation()),
            "If chat wanted 14.0 GiB (nothing is changed):\n"
            "\n"
            "TENANT     HELD    WANTED                SHARE  AT ONCE  ASKED BACK  BECAUSE\n"
            "batch   4.5 GiB   4.5 GiB              4.5 GiB      0 B     1.0 GiB  its fair share of weight 50\n"
            "chat    8.0 GiB  10.0 GiB  9.0 GiB -> 10.0 GiB  1.0 GiB         0 B  its limit\n"
            "\n"
            "2.0 GiB of guarantees could not be had back in time then.\n");
}

TEST(RenderSimulationTest, SaysWhatIsAsked) {
  admin::v1::SimulateRequest request;
  EXPECT_THAT(RenderSimulation(request, {}), StartsWith("As things are (nothing is changed):\n"));
  request.mutable_change()->set_tenant("chat");
  request.mutable_change()->mutable_limit()->set_percent(12.5);
  request.mutable_change()->mutable_guarantee()->set_none(true);
  request.mutable_change()->set_weight(7);
  EXPECT_THAT(RenderSimulation(request, {}), StartsWith("If chat had limit 12.5 %, guarantee none, weight 7 ("));
  request.set_want(kGiB);
  EXPECT_THAT(RenderSimulation(request, {}), StartsWith("If chat wanted 1.0 GiB with limit 12.5 %, guarantee"));
}

}  // namespace
}  // namespace kvbroker::cli
