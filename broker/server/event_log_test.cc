#include "broker/server/event_log.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Texts(const std::vector<EventLog::Entry>& entries) {
  std::vector<std::string> texts;
  for (const EventLog::Entry& entry : entries) texts.push_back(absl::StrCat(entry.number, entry.text));
  return texts;
}

TEST(EventLogTest, TellsWhatIsNewerThanOneInTurn) {
  EventLog log;
  EXPECT_THAT(log.Since(0, 10), IsEmpty());
  for (const char* text : {"a", "b", "c"}) log.Add(absl::UnixEpoch(), false, text);
  EXPECT_THAT(Texts(log.Since(0, 10)), ElementsAre("1a", "2b", "3c"));
  EXPECT_THAT(Texts(log.Since(1, 10)), ElementsAre("2b", "3c"));
  EXPECT_THAT(Texts(log.Since(0, 2)), ElementsAre("1a", "2b"));
  EXPECT_THAT(log.Since(3, 10), IsEmpty());
  EXPECT_THAT(log.Since(UINT64_MAX, 10), IsEmpty()) << "of an earlier broker's";
}

TEST(EventLogTest, KeepsNoMoreThanSoMuchOfATextAndNothingThatIsNoText) {
  EventLog log;
  log.Add(absl::UnixEpoch(), true, "cgroup \xff\x1b[2J");
  log.Add(absl::UnixEpoch(), true, std::string(1 << 20, 'x'));
  const auto entries = log.Since(0, 2);
  EXPECT_EQ(entries[0].text, "cgroup ??[2J");
  EXPECT_EQ(entries[1].text.size(), EventLog::kLongest + 3);
}

TEST(EventLogTest, ForgetsTheOldest) {
  EventLog log;
  for (size_t i = 0; i < EventLog::kRemembered + 2; ++i) log.Add(absl::UnixEpoch(), false, "");
  EXPECT_THAT(Texts(log.Since(0, 1)), ElementsAre("3"));
  EXPECT_EQ(log.Since(0, SIZE_MAX).size(), EventLog::kRemembered);
  EXPECT_THAT(Texts(log.Since(EventLog::kRemembered + 1, 5)), ElementsAre(absl::StrCat(EventLog::kRemembered + 2)));
}

}  // namespace
}  // namespace kvbroker
