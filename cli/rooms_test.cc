#include "cli/rooms.h"

#include "cli/testing/fake_broker.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

TEST(RenderRoomsTest, ListsWhoWaitsAndWhatIsHeldBack) {
  EXPECT_EQ(RenderRooms(SampleStatus(), SampleRooms()),
            "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n"
            "\n"
            "SESSION  TENANT   PID  STATE       ROOM     USED  HELD BACK        AGE  ENGINE\n"
            "      3  launch  4720  ready    2.0 GiB  512 MiB    1.5 GiB      4.0 s  kvctl launch: python\n"
            "      4  chat    4721  waiting  6.0 GiB      0 B        0 B      0.5 s\n"
            "      1  chat    4712  settled  2.0 GiB  2.0 GiB        0 B  1 h 1 min  vllm\n");
}

TEST(RenderRoomsTest, SaysThatThereAreNone) {
  EXPECT_EQ(RenderRooms(SampleStatus(), {}), "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n\nNo rooms.\n");
}

}  // namespace
}  // namespace kvbroker::cli
