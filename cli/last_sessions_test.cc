#include "cli/last_sessions.h"

#include "cli/testing/fake_broker.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

TEST(RenderLastSessionsTest, NamesThemAndCountsThoseBeyondFive) {
  admin::v1::ListSessionsResponse sessions = SampleSessions();
  EXPECT_EQ(RenderLastSessions(sessions), "2 sessions are left: 1 (chat, pid 4712), 12 (batch, pid 98765, draining)\n");
  sessions.mutable_sessions()->RemoveLast();
  EXPECT_EQ(RenderLastSessions(sessions), "1 session is left: 1 (chat, pid 4712)\n");
  for (int i = 0; i < 6; ++i) *sessions.add_sessions() = sessions.sessions(0);
  EXPECT_TRUE(RenderLastSessions(sessions).ends_with(", 1 (chat, pid 4712) and 2 more\n"));
}

}  // namespace
}  // namespace kvbroker::cli
