#include "cli/top_view.h"

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

// chat grows by 2 GiB three times, each 5 s, up to the sample; 4 GiB of it are in use, 2.5 cached, 1.5 free.
struct Growth {
  Growth() {
    for (int second = 0; second < 4; ++second) {
      sample.set_time_ms(static_cast<uint64_t>(9'500 + second * 5000));
      admin::v1::Tenant& chat = *sample.mutable_tenants(1);
      chat.set_granted(static_cast<uint64_t>(second + 1) << 31);
      sample.mutable_status()->mutable_counters()->set_grants(static_cast<uint64_t>(second * 3));
      admin::v1::Holding& holding = *chat.mutable_holding();
      holding.Clear();
      holding.set_spare(uint64_t{1} << 30);
      holding.set_free(uint64_t{1} << 29);
      holding.add_cached_by_age(uint64_t{2} << 30);
      holding.add_cached_by_age(uint64_t{1} << 29);
      history.Add(sample);
    }
  }
  admin::v1::Snapshot sample = SampleSnapshot();
  TopHistory history;
};

TEST(RenderTopTest, DrawsABarForEachTenantAndTheirTotal) {
  const Growth growth;
  EXPECT_EQ(Text(RenderTop(growth.sample, growth.history, {.columns = 100, .rows = 24}, Colour::kNone)),
            "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n"
            "\n"
            "TENANT                                       GRANTED  WANTS MORE    CHANGE/S      HISTORY      LIMIT\n"
            "batch  ████████··························    4.5 GiB                                 ████       none\n"
            "chat   ███████▓▓▓▓▒▒▒░░░│················    8.0 GiB    +2.0 GiB  +409.6 MiB         ▃▅▇█   10.0 GiB\n"
            "total  █████████████████████▎░░░·········   12.5 GiB    +2.0 GiB  +409.6 MiB                20.0 GiB\n"
            "\n"
            "waiting 2.0 GiB  room 0 B  others 3.0 GiB  free 7.5 GiB  3 sessions  1 grants/s\n"
            "█ in use  ▓ cached  ▒ free in the engine  ░ wanted, not granted  │ limit\n"
            "Bar: the capacity is its width. History: of a minute, each by its own maximum.\n");
}

TEST(RenderTopTest, LeavesColumnsOutOfANarrowWindow) {
  const Growth growth;
  EXPECT_EQ(Text(RenderTop(growth.sample, growth.history, {.columns = 80, .rows = 5}, Colour::kNone)),
            "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n"
            "\n"
            "TENANT                              GRANTED  WANTS MORE    CHANGE/S      HISTORY\n"
            "… and 2 more\n"
            "total  ███████████████▋░░░······   12.5 GiB    +2.0 GiB  +409.6 MiB\n");
  EXPECT_EQ(Text(RenderTop(growth.sample, growth.history, {.columns = 40, .rows = 24}, Colour::kNone)),
            "HOST-demo (host memory, 24 GiB): capaci…\n"
            "\n"
            "TENANT                           GRANTED\n"
            "batch  █████·················    4.5 GiB\n"
            "chat   ████▓▓▓▒▒░░│··········    8.0 GiB\n"
            "total  █████████████▊░░······   12.5 GiB\n"
            "\n"
            "waiting 2.0 GiB  room 0 B  others 3.0 G…\n"
            "█ in use  ▓ cached  ▒ free in the engin…\n"
            "Bar: the capacity is its width. History…\n");
}

TEST(RenderTopTest, SaysThatNobodyNewIsAdmittedAndWhyNothingIsNew) {
  admin::v1::Snapshot snapshot = SampleSnapshot();
  snapshot.mutable_status()->set_refuses_new_sessions(true);
  EXPECT_EQ(RenderTop(snapshot, {}, {}, Colour::kNone)[1], "drained: no new sessions are admitted");
  EXPECT_EQ(RenderTop(snapshot, {}, {}, Colour::kNone, "the broker has gone")[1], "the broker has gone");
}

TEST(RenderTopTest, ColoursWhatIsOverItsLimit) {
  admin::v1::Snapshot snapshot = SampleSnapshot();
  snapshot.mutable_tenants(1)->mutable_policy()->set_limit(uint64_t{1} << 30);
  const auto lines = RenderTop(snapshot, {}, {.columns = 80, .rows = 24}, Colour::kAnsi);
  EXPECT_THAT(lines[4], HasSubstr("\x1b[31m    8.0 GiB\x1b[0m"));
}

TEST(RenderTopTest, NeverOutgrowsTheWindow) {
  admin::v1::Snapshot snapshot = ManyTenants(30);
  snapshot.mutable_tenants(0)->set_name(std::string(64, 'n'));
  for (size_t columns = 1; columns < 120; ++columns) {
    for (size_t rows = 1; rows < 45; ++rows) {
      const auto lines = RenderTop(snapshot, {}, {.columns = columns, .rows = rows}, Colour::kNone);
      ASSERT_LE(lines.size(), rows) << columns << "x" << rows;
      ASSERT_THAT(lines, Each(ResultOf([](const std::string& line) { return Width(line); }, ::testing::Le(columns))));
    }
  }
}

TEST(RenderTopTest, CountsTheTenantsThatDoNotFit) {
  const auto lines = RenderTop(ManyTenants(12), {}, {.columns = 80, .rows = 14}, Colour::kNone);
  EXPECT_EQ(lines.size(), 14u);
  EXPECT_EQ(lines[12], "… and 3 more");
}

TEST(RenderTopTest, SaysWhatIsAskedBack) {
  admin::v1::Snapshot snapshot = SampleSnapshot();
  snapshot.mutable_status()->mutable_memory()->set_asked_back(96 << 20);
  EXPECT_THAT(Text(RenderTop(snapshot, {}, {.columns = 80, .rows = 24}, Colour::kNone)),
              HasSubstr("waiting 2.0 GiB  asked back 96 MiB  room 0 B"));
}

TEST(RenderTopTest, ASmallWindowKeepsTheBarsAndTheTotal) {
  const auto lines = RenderTop(SampleSnapshot(), {}, {.columns = 80, .rows = 6}, Colour::kNone);
  EXPECT_THAT(lines, ::testing::ElementsAre(HasSubstr("HOST-demo"), "", HasSubstr("TENANT"), HasSubstr("batch"),
                                            HasSubstr("chat"), HasSubstr("total")));
}

TEST(RenderSampleTest, IsOneLine) {
  EXPECT_EQ(RenderSample(SampleSnapshot()),
            "12.5 s  granted 12.5 GiB of 20.0 GiB  waiting 2.0 GiB  batch 4.5 GiB  chat 8.0 GiB +2.0 GiB\n");
}

}  // namespace
}  // namespace kvbroker::cli
