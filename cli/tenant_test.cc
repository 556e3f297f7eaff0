#include "cli/tenant.h"

#include "cli/testing/fake_broker.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kGiB = uint64_t{1} << 30;

admin::v1::Tenant Chat() { return SampleTenants().tenants(1); }

TEST(RenderTenantTest, ShowsPolicyFiguresAndWhatCameOfThem) {
  EXPECT_EQ(RenderTenant(SampleStatus(), Chat()),
            "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n"
            "\n"
            "chat: interactive, weight 200, has the turn: it is served next\n"
            "\n"
            "  granted      8.0 GiB  to 2 sessions; 10.0 GiB at the most so far\n"
            "  wanted      10.0 GiB  what it could use, what it holds included\n"
            "  share        9.0 GiB  what it may have as things are\n"
            "  limit       10.0 GiB  never exceeded\n"
            "  reserved         0 B  never lent to others\n"
            "  guarantee    4.0 GiB  lent while it is not used, and back within 250 ms\n"
            "  outside      2.0 GiB  weights and the like; 1.0 GiB of it only kept, and to be had\n"
            "  floor        1.0 GiB  what one of its longest requests needs\n"
            "\n"
            "  waited 12.3 s for what its limit allows, 1.2 s of it with less than one of its longest requests needs\n"
            "  waited for its guarantee 4 times, 100 ms on average, and longer than the deadline once\n"
            "  gave back 3.0 GiB because it was asked to; missed 2 deadlines (a session that does: no_growth)\n"
            "  the broker was started with: limit 8.0 GiB, weight 100, interactive, no_growth\n"
            "  policy revision 7\n");
}

TEST(RenderTenantTest, SaysNothingOfWhatNeverWas) {
  const std::string text = RenderTenant(SampleStatus(), SampleTenants().tenants(0));
  for (const char* word : {"outside", "floor", "of it with less", "waited for its guarantee", "was started with"}) {
    EXPECT_THAT(text, Not(HasSubstr(word)));
  }
}

TEST(FindTenantTest, NamesThoseThereAre) {
  EXPECT_EQ(FindTenant(SampleTenants(), "chat")->name(), "chat");
  EXPECT_EQ(FindTenant(SampleTenants(), "x").status().message(), "no tenant 'x'; there are: batch, chat");
  EXPECT_EQ(FindTenant({}, "x").status().message(), "no tenant 'x'; there are none");
}

TEST(RenderChangeTest, IsTheWholePolicyInALine) {
  admin::v1::SetTenantResponse response;
  *response.mutable_policy() = Chat().policy();
  response.set_revision(8);
  EXPECT_EQ(RenderChange("chat", response),
            "chat: limit 10.0 GiB, guarantee 4.0 GiB within 250 ms, weight 200, interactive, no_growth (revision 8)\n");
  response.mutable_policy()->set_reserved(kGiB);
  response.set_bytes_over(2 * kGiB);
  EXPECT_THAT(RenderChange("chat", response), HasSubstr(", reserved 1.0 GiB, guarantee"));
  EXPECT_THAT(RenderChange("chat", response), HasSubstr("(revision 8); it holds 2.0 GiB more and is asked"));
}

}  // namespace
}  // namespace kvbroker::cli
