#include "cli/limit.h"

#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

constexpr uint64_t kGiB = uint64_t{1} << 30;

TEST(RenderLimitTest, SaysWhatIsInForce) {
  admin::v1::SetTenantResponse response;
  response.mutable_policy()->set_limit(5 * kGiB / 2);
  EXPECT_EQ(RenderLimit("chat", response), "chat: limit 2.5 GiB\n");
  response.set_bytes_over(kGiB);
  EXPECT_EQ(RenderLimit("chat", response),
            "chat: limit 2.5 GiB; it holds 1.0 GiB more and is asked to give that back\n");
}

TEST(RenderLimitTest, ALimitOfNothingIsNotNone) {
  admin::v1::SetTenantResponse response;
  EXPECT_EQ(RenderLimit("chat", response), "chat: limit 0 B\n");
  response.mutable_policy()->set_unlimited(true);
  EXPECT_EQ(RenderLimit("chat", response), "chat: no limit\n");
}

}  // namespace
}  // namespace kvbroker::cli
