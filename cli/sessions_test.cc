#include "cli/sessions.h"

#include "cli/testing/fake_broker.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

TEST(RenderSessionsTest, ListsWhatEachHolds) {
  EXPECT_EQ(RenderSessions(SampleStatus(), SampleSessions()),
            "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n"
            "\n"
            "SESSION  TENANT    PID  STATE     GRANTED    WANTED    TARGET     FREE   CACHED  IN FLIGHT  RETURNING   "
            "MISSED        AGE  ENGINE  INSTANCE\n"
            "      1  chat     4712  active    8.0 GiB  10.0 GiB  10.0 GiB  768 MiB  1.5 GiB    512 MiB        0 B  "
            "2, late  1 h 1 min  vllm    chat-0\n"
            "     12  batch   98765  draining  4.5 GiB   4.5 GiB      none      0 B      0 B        0 B    512 MiB  "
            "      0     12.3 s\n");
}

TEST(RenderSessionsTest, LeavesOutWhatNobodyHas) {
  admin::v1::ListSessionsResponse sessions;
  *sessions.add_sessions() = SampleSessions().sessions(1);
  sessions.mutable_sessions(0)->set_returning(0);
  EXPECT_EQ(RenderSessions(SampleStatus(), sessions),
            "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n"
            "\n"
            "SESSION  TENANT    PID  STATE     GRANTED   WANTED  TARGET     AGE\n"
            "     12  batch   98765  draining  4.5 GiB  4.5 GiB    none  12.3 s\n");
}

TEST(RenderSessionsTest, ShowsWhatIsHeldOutsideOfArenasWhereSomebodySaysSo) {
  admin::v1::ListSessionsResponse sessions;
  *sessions.add_sessions() = SampleSessions().sessions(1);
  sessions.mutable_sessions(0)->set_returning(0);
  sessions.mutable_sessions(0)->set_external(uint64_t{20} << 30);
  sessions.mutable_sessions(0)->set_trimmable(uint64_t{14} << 30);
  EXPECT_EQ(RenderSessions(SampleStatus(), sessions),
            "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n"
            "\n"
            "SESSION  TENANT    PID  STATE     GRANTED   WANTED  TARGET   OUTSIDE  TRIMMABLE     AGE\n"
            "     12  batch   98765  draining  4.5 GiB  4.5 GiB    none  20.0 GiB   14.0 GiB  12.3 s\n");
}

TEST(RenderSessionsTest, SaysThatThereAreNone) {
  EXPECT_EQ(RenderSessions(SampleStatus(), {}), "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n\nNo sessions.\n");
}

}  // namespace
}  // namespace kvbroker::cli
