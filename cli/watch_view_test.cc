#include "cli/watch_view.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/testing/fake_broker.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::ResultOf;

std::string Text(const std::vector<std::string>& lines) { return absl::StrJoin(lines, "\n") + "\n"; }

admin::v1::Snapshot ManyTenants(int count) {
  admin::v1::Snapshot snapshot = SampleSnapshot();
  for (int i = snapshot.tenants_size(); i < count; ++i) snapshot.add_tenants()->set_name(absl::StrCat("t", i));
  return snapshot;
}

TEST(RenderWatchTest, DrawsABarForEachTenantAndTheirTotal) {
  EXPECT_EQ(Text(RenderWatch(SampleSnapshot(), {.columns = 80, .rows = 24}, Colour::kNone)),
            "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n"
            "\n"
            "TENANT                                            GRANTED      LIMIT  WANTS MORE\n"
            "batch  ████████▊······························    4.5 GiB       none\n"
            "chat   ███████████████▋░░░░│··················    8.0 GiB   10.0 GiB    +2.0 GiB\n"
            "total  ████████████████████████▍░░░░··········   12.5 GiB   20.0 GiB    +2.0 GiB\n"
            "\n"
            "waiting 2.0 GiB  room 0 B  others 3.0 GiB  free 7.5 GiB  3 sessions\n"
            "█ granted  ░ wanted, not granted  │ limit  width: the capacity\n");
}

TEST(RenderWatchTest, LeavesColumnsOutOfANarrowWindow) {
  EXPECT_EQ(Text(RenderWatch(SampleSnapshot(), {.columns = 40, .rows = 24}, Colour::kNone)),
            "HOST-demo (host memory, 24 GiB): capaci…\n"
            "\n"
            "TENANT                GRANTED      LIMIT\n"
            "batch  ██▌········    4.5 GiB       none\n"
            "chat   ████▍░│····    8.0 GiB   10.0 GiB\n"
            "total  ██████▉░···   12.5 GiB   20.0 GiB\n"
            "\n"
            "waiting 2.0 GiB  room 0 B  others 3.0 G…\n"
            "█ granted  ░ wanted, not granted  │ lim…\n");
}

TEST(RenderWatchTest, ColoursWhatIsOverItsLimit) {
  admin::v1::Snapshot snapshot = SampleSnapshot();
  snapshot.mutable_tenants(1)->mutable_policy()->set_limit(uint64_t{1} << 30);
  const auto lines = RenderWatch(snapshot, {.columns = 80, .rows = 24}, Colour::kAnsi);
  EXPECT_THAT(lines[4], HasSubstr("\x1b[31m    8.0 GiB\x1b[0m"));
}

TEST(RenderWatchTest, NeverOutgrowsTheWindow) {
  admin::v1::Snapshot snapshot = ManyTenants(30);
  snapshot.mutable_tenants(0)->set_name(std::string(64, 'n'));
  for (size_t columns = 1; columns < 120; ++columns) {
    for (size_t rows = 1; rows < 45; ++rows) {
      const auto lines = RenderWatch(snapshot, {.columns = columns, .rows = rows}, Colour::kNone);
      ASSERT_LE(lines.size(), rows) << columns << "x" << rows;
      ASSERT_THAT(lines, Each(ResultOf([](const std::string& line) { return Width(line); }, ::testing::Le(columns))));
    }
  }
}

TEST(RenderWatchTest, CountsTheTenantsThatDoNotFit) {
  const auto lines = RenderWatch(ManyTenants(12), {.columns = 80, .rows = 14}, Colour::kNone);
  EXPECT_EQ(lines.size(), 14u);
  EXPECT_EQ(lines[12], "… and 3 more");
}

TEST(RenderWatchTest, SaysWhatIsAskedBack) {
  admin::v1::Snapshot snapshot = SampleSnapshot();
  snapshot.mutable_status()->mutable_memory()->set_asked_back(96 << 20);
  EXPECT_THAT(Text(RenderWatch(snapshot, {.columns = 80, .rows = 24}, Colour::kNone)),
              HasSubstr("waiting 2.0 GiB  asked back 96 MiB  room 0 B"));
}

TEST(RenderWatchTest, ASmallWindowKeepsTheBarsAndTheTotal) {
  const auto lines = RenderWatch(SampleSnapshot(), {.columns = 80, .rows = 6}, Colour::kNone);
  EXPECT_THAT(lines, ::testing::ElementsAre(HasSubstr("HOST-demo"), "", HasSubstr("TENANT"), HasSubstr("batch"),
                                            HasSubstr("chat"), HasSubstr("total")));
}

TEST(RenderSampleTest, IsOneLine) {
  EXPECT_EQ(RenderSample(SampleSnapshot()),
            "12.5 s  granted 12.5 GiB of 20.0 GiB  waiting 2.0 GiB  batch 4.5 GiB  chat 8.0 GiB +2.0 GiB\n");
}

}  // namespace
}  // namespace kvbroker::cli
