#include "cli/events.h"

#include <sstream>
#include <string>
#include <vector>

#include "cli/run.h"
#include "cli/testing/fake_broker.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(RenderEventTest, AWarningStandsOut) {
  EXPECT_EQ(RenderEvent(SampleEvents().events(0), absl::UTCTimeZone()),
            "2026-11-27 22:30:04.117          granted session=1 lease=1 slots_since_opening=4\n");
  EXPECT_EQ(RenderEvent(SampleEvents().events(1), absl::UTCTimeZone()),
            "2026-11-27 22:30:05.000 warning  target missed session=1 tenant=chat\n");
}

class EventsTest : public ::testing::Test {
 protected:
  int Ask(std::vector<std::string> args) {
    args.insert(args.begin(), {"--socket", broker_.socket(), "events"});
    return cli::Run(args, {.out = out_, .err = err_});
  }

  TempDir dir_;
  FakeBroker broker_{dir_.path()};
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(EventsTest, ShowsWhatTheBrokerRemembersAndEnds) {
  EXPECT_EQ(Ask({}), kExitOk);
  EXPECT_THAT(out_.str(), HasSubstr("warning  target missed"));
}

TEST_F(EventsTest, AsJsonEachIsALineOfItsOwn) {
  EXPECT_EQ(Ask({"--json"}), kExitOk);
  EXPECT_THAT(out_.str(), StartsWith("{\"number\":\"7\",\"time_ms\":\"1795818604117\",\"warning\":false,"));
  EXPECT_THAT(out_.str(), HasSubstr("}\n{\"number\":\"8\""));
}

TEST_F(EventsTest, WhoFollowsIsToldThatTheBrokerWentAway) {
  broker_.Fail({grpc::StatusCode::UNAVAILABLE, "the broker is ending"});
  EXPECT_EQ(Ask({"--follow"}), kExitFailed);
  EXPECT_THAT(out_.str(), HasSubstr("granted"));
  EXPECT_THAT(err_.str(), HasSubstr("kvctl: "));
}

}  // namespace
}  // namespace kvbroker::cli
