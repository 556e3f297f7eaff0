#include "cli/why.h"

#include "cli/testing/fake_broker.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::HasSubstr;

TEST(RenderWhyTest, BeginsWithTheAnswer) {
  EXPECT_EQ(RenderWhy(SampleWhy()),
            "chat has reached its limit (limit: see docs/policy.md)\n"
            "\n"
            "  session 1 of chat, process 4712, vllm: holds 8.0 GiB, wants 10.0 GiB, may hold 10.0 GiB\n"
            "  the limit of chat is 10.0 GiB\n"
            "  its other session holds 2.0 GiB\n");
}

TEST(RenderWhyTest, SaysThatItIsLate) {
  admin::v1::WhyResponse why = SampleWhy();
  why.mutable_session()->set_over_target(true);
  EXPECT_THAT(RenderWhy(why), HasSubstr("may hold 10.0 GiB and has not given the rest back in time\n"));
}

TEST(RenderWhyTest, NoTargetIsNoBound) {
  admin::v1::WhyResponse why = SampleWhy();
  why.mutable_session()->set_target(UINT64_MAX);
  EXPECT_THAT(RenderWhy(why), HasSubstr("wants 10.0 GiB, not bounded\n"));
}

}  // namespace
}  // namespace kvbroker::cli
