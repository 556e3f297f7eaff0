#include "cli/trim.h"

#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

TEST(RenderTrimTest, SaysWhatCameBackAndHowFast) {
  admin::v1::TrimResponse response;
  response.set_before(uint64_t{8} << 30);
  response.set_after(uint64_t{2} << 30);
  response.set_took_ms(38);
  EXPECT_EQ(RenderTrim("chat", response), "chat: 8.0 GiB -> 2.0 GiB in 38 ms\n");
}

TEST(RenderTrimTest, WhoHoldsLessGivesNothingBack) {
  admin::v1::TrimResponse response;
  response.set_before(uint64_t{1} << 30);
  response.set_after(uint64_t{1} << 30);
  EXPECT_EQ(RenderTrim("chat", response), "chat: holds 1.0 GiB, which is no more than that\n");
}

}  // namespace
}  // namespace kvbroker::cli
