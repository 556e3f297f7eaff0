#include "cli/session.h"

#include "cli/testing/fake_broker.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RenderSessionTest, HasALineForEachFigureThereIs) {
  EXPECT_EQ(RenderSession(SampleSessions().sessions(0)),
            "session 1 of chat, active: its process is connected\n"
            "\n"
            "  process         4712  of user 0, vllm; here for 1 h 1 min\n"
            "  holds        8.0 GiB  in 1 arena\n"
            "  in flight    512 MiB  of it: granted, and not imported yet\n"
            "  cached       1.5 GiB  of it: for requests that may come back\n"
            "  free         768 MiB  of it: given back at no cost\n"
            "  wants       10.0 GiB  in all\n"
            "  target      10.0 GiB  the most it may hold; it is late with giving back\n"
            "  missed             2  times it did not give back by the deadline\n");
}

TEST(RenderSessionTest, SaysWhatAStateMeans) {
  admin::v1::Session session = SampleSessions().sessions(1);
  EXPECT_THAT(RenderSession(session), HasSubstr("draining: it has ended, and its memory is on its way back"));
  EXPECT_THAT(RenderSession(session), Not(HasSubstr("target")));
  session.set_state("lost");
  EXPECT_THAT(RenderSession(session), HasSubstr("is not connected; it may come back"));
}

}  // namespace
}  // namespace kvbroker::cli
