#include "cli/status.h"

#include "cli/testing/fake_broker.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::HasSubstr;

TEST(RenderStatusTest, SaysHowTheMemoryIsDivided) {
  EXPECT_EQ(RenderStatus(SampleStatus(), {}, Colour::kNone),
            "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n"
            "\n"
            "  █████████████████████████···············  granted 12.5 GiB, 62 % of the capacity\n"
            "\n"
            "  capacity   20.0 GiB  the most that may be granted now; capped at 20.0 GiB\n"
            "  granted    12.5 GiB  to 3 sessions of 2 tenants; 512 MiB draining\n"
            "  waiting     2.0 GiB  wanted, within the limits, and not granted\n"
            "  room            0 B  held back for memory outside the broker\n"
            "  headroom    1.0 GiB  never lent\n"
            "  others      3.0 GiB  used by programs that do not borrow from the broker\n"
            "  broker        4 MiB  used by the broker itself\n"
            "  free        7.5 GiB  what the driver shows as free\n"
            "  total      24.0 GiB  what the device has\n"
            "\n"
            "  40 grants of 1600 slots, 1 refusal, 0 failed creates; 5 sessions opened, 2 ended\n"
            "  kvbrokerd 0.1.0, process 4711, epoch 3, up 1 h 2 min, policy revision 7\n");
}

TEST(RenderStatusTest, SaysWhatWasGivenBackAndStayedInUse) {
  admin::v1::Status status = SampleStatus();
  status.mutable_counters()->set_written_off(96 << 20);
  EXPECT_THAT(RenderStatus(status, {}, Colour::kNone),
              HasSubstr("2 ended\n  96 MiB were given back and stayed in use: counted as used by others\n"));
}

TEST(RenderStatusTest, NamesTheRoomsThatAreNotOver) {
  admin::v1::Status status = SampleStatus();
  status.mutable_memory()->set_room(uint64_t{3} << 29);
  EXPECT_THAT(RenderStatus(status, SampleRooms(), Colour::kNone),
              HasSubstr("  room        1.5 GiB  held back for memory outside the broker\n"
                        "                       launch, process 4720: 2.0 GiB, ready for 4.0 s\n"
                        "                       chat, process 4721: 6.0 GiB, waiting for 0.5 s\n"
                        "  headroom"));
}

TEST(RenderStatusTest, SaysWhatIsAskedBackAndAtRisk) {
  admin::v1::Status status = SampleStatus();
  EXPECT_THAT(RenderStatus(status, {}, Colour::kNone), ::testing::Not(HasSubstr("asked")));
  status.mutable_memory()->set_asked_back(96 << 20);
  status.mutable_memory()->set_guarantee_at_risk(64 << 20);
  EXPECT_THAT(RenderStatus(status, {}, Colour::kNone),
              HasSubstr("  asked        96 MiB  of what sessions hold, asked back and not given back yet\n"
                        "  at risk      64 MiB  of guarantees, could not be had back in time now\n"));
}

TEST(RenderStatusTest, ColoursTheBarAlone) {
  EXPECT_THAT(RenderStatus(SampleStatus(), {}, Colour::kAnsi), HasSubstr("  \x1b[32m█████████████████████████\x1b[0m"));
}

TEST(RenderStatusTest, ADeviceThatIsFullOfOthersHasNoShareToName) {
  admin::v1::Status status = SampleStatus();
  status.mutable_memory()->set_capacity(0);
  status.mutable_memory()->set_capacity_cap(0);
  const std::string text = RenderStatus(status, {}, Colour::kNone);
  EXPECT_THAT(text, HasSubstr("  granted 12.5 GiB\n"));
  EXPECT_THAT(text, HasSubstr("no cap is set"));
}

}  // namespace
}  // namespace kvbroker::cli
