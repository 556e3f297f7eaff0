#include "cli/launch.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/testing/fake_broker.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// What the room's session was asked, and what it answers. It must outlive the launch.
struct Desk {
  absl::Status opens;
  absl::Status reserves;
  std::string tenant;
  std::string engine;
  Bytes bytes;
  absl::Duration timeout;
  absl::Duration ttl;
  bool open = false;
};

class FakeRoomSession : public RoomSession {
 public:
  explicit FakeRoomSession(Desk& desk) : desk_(desk) { desk_.open = true; }
  ~FakeRoomSession() override { desk_.open = false; }

  absl::Status Reserve(Bytes bytes, absl::Duration timeout, absl::Duration ttl) override {
    desk_.bytes = bytes;
    desk_.timeout = timeout;
    desk_.ttl = ttl;
    return desk_.reserves;
  }

 private:
  Desk& desk_;
};

struct Outcome {
  absl::Status done;
  int exit_code;
  std::string err;
};

class LaunchTest : public ::testing::Test {
 protected:
  Outcome Launch(std::vector<std::string> args, std::vector<std::string> words) {
    LaunchCommand command([this](const Where&, const std::string& tenant,
                                 const std::string& engine) -> absl::StatusOr<std::unique_ptr<RoomSession>> {
      desk_.tenant = tenant;
      desk_.engine = engine;
      if (!desk_.opens.ok()) return desk_.opens;
      return std::make_unique<FakeRoomSession>(desk_);
    });
    CLI::App app;
    command.Declare(app);
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
    command.TakeRest(std::move(words));
    EXPECT_TRUE(command.Check().ok());
    std::ostringstream out;
    std::ostringstream err;
    const Console console = {.out = out, .err = err, .err_live = live_};
    const absl::Status done = command.Run({.where = {.runtime_dir = dir_.path()}, .console = console});
    EXPECT_THAT(out.str(), IsEmpty()) << "it is the command's";
    EXPECT_FALSE(desk_.open);
    return {done, command.ExitCode(done), err.str()};
  }

  bool live_ = false;
  Desk desk_;
  TempDir dir_;
};

TEST_F(LaunchTest, RunsTheCommandInItsRoomAndReturnsItsExitCode) {
  const Outcome outcome = Launch({"--room", "22GiB"}, {"sh", "-c", "exit 7"});
  EXPECT_TRUE(outcome.done.ok()) << outcome.done;
  EXPECT_EQ(outcome.exit_code, 7);
  EXPECT_EQ(outcome.err, "waiting for room: 22.0 GiB\n");
  EXPECT_EQ(desk_.bytes, GiB(22));
  EXPECT_EQ(desk_.timeout, absl::Seconds(60));
  EXPECT_EQ(desk_.ttl, absl::ZeroDuration());
  EXPECT_EQ(desk_.tenant, "launch");
  EXPECT_EQ(desk_.engine, "kvctl launch: sh");
}

TEST_F(LaunchTest, AsksForWhatIsGiven) {
  const Outcome outcome =
      Launch({"--room", "1G", "--tenant", "chat", "--timeout", "5m", "--ttl", "1.5"}, {"/bin/true"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(desk_.timeout, absl::Minutes(5));
  EXPECT_EQ(desk_.ttl, absl::Milliseconds(1500));
  EXPECT_EQ(desk_.tenant, "chat");
}

TEST_F(LaunchTest, TakesTheCommandsWordsAsTheyAre) {
  const std::string file = dir_.path() + "/words";
  Launch({"--room", "1G"}, {"sh", "-c", absl::StrCat("printf '%s|' \"$@\" > ", file), "sh", "[a,b]", "--", "", "--x"});
  std::stringstream words;
  words << std::ifstream(file).rdbuf();
  EXPECT_EQ(words.str(), "[a,b]|--||--x|");
}

TEST_F(LaunchTest, ACommandThatIsNotThereAsksForNoRoom) {
  const Outcome outcome = Launch({"--room", "1G"}, {"no-such-tool", "x"});
  EXPECT_EQ(outcome.exit_code, 127);
  EXPECT_EQ(outcome.done.message(), "no program 'no-such-tool' in $PATH");
  EXPECT_THAT(outcome.err, IsEmpty());
  EXPECT_THAT(desk_.tenant, IsEmpty());
}

TEST_F(LaunchTest, ACommandThatMayNotBeRunAsksForNoRoom) {
  std::ofstream(dir_.path() + "/notes") << "text";
  EXPECT_EQ(Launch({"--room", "1G"}, {dir_.path() + "/notes"}).exit_code, 126);
  EXPECT_THAT(desk_.tenant, IsEmpty());
}

TEST_F(LaunchTest, WithoutRoomNothingRuns) {
  desk_.reserves = absl::ResourceExhaustedError("30 GiB can never be free: the device has 24 GiB");
  const std::string file = dir_.path() + "/ran";
  const Outcome outcome = Launch({"--room", "30GiB"}, {"touch", file});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.done, desk_.reserves);
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(LaunchTest, ARoomThatIsNotReadyInTimeSaysWhatIsInTheWay) {
  desk_.reserves = absl::DeadlineExceededError("room of 22 GiB was not ready after 1m");
  EXPECT_EQ(Launch({"--room", "22GiB"}, {"true"}).done, desk_.reserves) << "nobody to ask";
  const FakeBroker broker(dir_.path());
  const Outcome outcome = Launch({"--room", "22GiB"}, {"true"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(std::string(outcome.done.message()),
              AllOf(StartsWith("room of 22 GiB was not ready after 1m; of 24.0 GiB, 12.5 GiB are granted to sessions"),
                    EndsWith(", 0 B held back for rooms, 3.0 GiB used by others")));
}

TEST_F(LaunchTest, AnUnknownDefaultTenantPointsToTheOption) {
  desk_.opens = absl::NotFoundError("no tenant 'launch'; there are: batch, chat");
  EXPECT_EQ(Launch({"--room", "1G"}, {"true"}).done.message(),
            "no tenant 'launch'; there are: batch, chat; say which with --tenant");
  EXPECT_EQ(Launch({"--room", "1G", "--tenant", "x"}, {"true"}).done, desk_.opens);
}

TEST_F(LaunchTest, ATerminalIsKeptUpToDate) {
  live_ = true;
  const Outcome outcome = Launch({"--room", "1G"}, {"true"});
  EXPECT_THAT(outcome.err, StartsWith("\r\x1b[Kwaiting for room: 1.0 GiB, 0.0 s"));
  EXPECT_THAT(outcome.err, HasSubstr("\r\x1b[Kroom is ready: 1.0 GiB, after 0."));
  EXPECT_THAT(outcome.err, EndsWith(" s\n"));
}

TEST(RenderInTheWayTest, NamesWhatIsAskedBack) {
  admin::v1::Memory memory = SampleStatus().memory();
  memory.set_asked_back(uint64_t{2} << 30);
  EXPECT_THAT(RenderInTheWay(memory), HasSubstr("12.5 GiB are granted to sessions (2.0 GiB of it asked back), "));
}

}  // namespace
}  // namespace kvbroker::cli
