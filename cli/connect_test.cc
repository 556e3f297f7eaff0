#include "cli/connect.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "cli/testing/fake_broker.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(FindSocketTest, TakesTheOneBrokerThatRuns) {
  const TempDir dir;
  const FakeBroker broker(dir.path());
  std::filesystem::create_directory(dir.path() + "/GPU-idle");
  EXPECT_EQ(*FindSocket({.runtime_dir = dir.path()}), broker.socket());
}

TEST(FindSocketTest, ALinkToAFolderIsNoSecondBroker) {
  const TempDir dir;
  const FakeBroker broker(dir.path());
  std::filesystem::create_directory_symlink("HOST-demo", dir.path() + "/gpu0");
  std::filesystem::create_symlink("nowhere", dir.path() + "/gpu1");
  EXPECT_EQ(*FindSocket({.runtime_dir = dir.path()}), broker.socket());
  EXPECT_EQ(*FindSocket({.runtime_dir = dir.path(), .device = "gpu0"}), dir.path() + "/gpu0/admin/admin.sock");
}

TEST(FindSocketTest, SaysThatNoneRunsAndHowToStartOne) {
  const TempDir dir;
  for (const std::string& root : {dir.path(), dir.path() + "/missing"}) {
    const absl::Status status = FindSocket({.runtime_dir = root}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(Message(status),
                AllOf(HasSubstr(absl::StrCat("no broker runs in ", root, ":")), HasSubstr("kvbrokerd --device host"),
                      HasSubstr("./deploy/quickstart.sh"), Not(HasSubstr("\n"))));
  }
}

TEST(FindSocketTest, ASocketThatABrokerLeftBehindCountsAsNone) {
  const TempDir dir;
  std::filesystem::create_directories(dir.path() + "/HOST-x/admin");
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  const std::string left = dir.path() + "/HOST-x/admin/admin.sock";
  left.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(fd);
  EXPECT_THAT(Message(FindSocket({.runtime_dir = dir.path()}).status()), HasSubstr("no broker runs in "));
  EXPECT_THAT(Message(FindSocket({.socket = left}).status()), HasSubstr("Connection refused"));
}

TEST(FindSocketTest, NamesTheBrokersThatOneMayChooseFrom) {
  const TempDir dir;
  const FakeBroker x(dir.path(), "HOST-x");
  const FakeBroker y(dir.path(), "HOST-y");
  EXPECT_THAT(Message(FindSocket({.runtime_dir = dir.path()}).status()),
              HasSubstr("HOST-x, HOST-y; choose one with --device"));
  EXPECT_EQ(*FindSocket({.runtime_dir = dir.path(), .device = "HOST-y"}), y.socket());
  EXPECT_THAT(Message(FindSocket({.runtime_dir = dir.path(), .device = "HOST-z"}).status()),
              HasSubstr("no broker for device 'HOST-z'"));
}

TEST(FindSocketTest, TakesTheRuntimeDirectoryOfTheEnvironment) {
  const TempDir dir;
  const FakeBroker broker(dir.path());
  setenv("KVBROKER_RUNTIME_DIR", dir.path().c_str(), 1);
  EXPECT_EQ(*FindSocket({}), broker.socket());
  unsetenv("KVBROKER_RUNTIME_DIR");
}

TEST(FindSocketTest, NamesAPathThatIsTooLongForASocket) {
  const std::string path = "/tmp/" + std::string(110, 'x');
  const absl::Status status = FindSocket({.socket = path}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(status), HasSubstr(path));
}

TEST(ConnectionTest, ReachesASocketWhosePathIsNoPlainUri) {
  const TempDir dir;
  std::filesystem::create_directory(dir.path() + "/a b%20#?");
  const FakeBroker broker(dir.path());
  std::filesystem::create_symlink(broker.socket(), dir.path() + "/a b%20#?/s");
  const auto connection = Connection::Open({.socket = dir.path() + "/a b%20#?/s"});
  ASSERT_TRUE(connection.ok()) << connection.status();
  const auto status = connection->Ask(&admin::v1::Admin::Stub::GetStatus, admin::v1::GetStatusRequest());
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->device_uuid(), "HOST-demo");
}

}  // namespace
}  // namespace kvbroker::cli
