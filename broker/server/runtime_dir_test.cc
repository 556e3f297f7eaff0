#include "broker/server/runtime_dir.h"

#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

class RuntimeDirTest : public ::testing::Test {
 protected:
  RuntimeDirTest() {
    char name[] = "/tmp/kvbXXXXXX";
    root_ = mkdtemp(name);
  }
  ~RuntimeDirTest() override { std::filesystem::remove_all(root_); }

  std::string root_;
};

TEST_F(RuntimeDirTest, ASecondBrokerIsRefusedByTheNameOfTheFirst) {
  const auto first = RuntimeDir::Open(root_, "HOST-x");
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::Status second = RuntimeDir::Open(root_, "HOST-x").status();
  EXPECT_EQ(second.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.message()), HasSubstr(absl::StrCat("process ", getpid())));
  EXPECT_TRUE(RuntimeDir::Open(root_, "HOST-y").ok()) << "another device has its own lock";
}

TEST_F(RuntimeDirTest, TheLockEndsWithItsHolder) {
  { ASSERT_TRUE(RuntimeDir::Open(root_, "HOST-x").ok()); }
  EXPECT_TRUE(RuntimeDir::Open(root_, "HOST-x").ok());
}

TEST_F(RuntimeDirTest, EpochsGrow) {
  const auto dir = RuntimeDir::Open(root_, "HOST-x");
  EXPECT_EQ(*dir->NextEpoch(), 1u);
  EXPECT_EQ(*dir->NextEpoch(), 2u);
}

TEST_F(RuntimeDirTest, AnEpochThatCannotBeKeptIsNotGivenOut) {
  const auto dir = RuntimeDir::Open(root_, "HOST-x");
  std::filesystem::create_symlink("/dev/full", dir->path() + "/epoch.new");
  const auto epoch = dir->NextEpoch();
  ASSERT_FALSE(epoch.ok()) << *epoch;
  EXPECT_THAT(std::string(epoch.status().message()), HasSubstr("epoch"));
}

TEST_F(RuntimeDirTest, NamesAPathThatIsTooLongForItsSockets) {
  const std::string root = root_ + "/" + std::string(90, 'x');
  const absl::Status status = RuntimeDir::Open(root, "HOST-x").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(root));
}

TEST_F(RuntimeDirTest, LinksAreReplacedAndOtherFilesAreNot) {
  const auto x = RuntimeDir::Open(root_, "HOST-x");
  const auto y = RuntimeDir::Open(root_, "HOST-y");
  ASSERT_TRUE(x->Link("gpu0").ok());
  ASSERT_TRUE(y->Link("gpu0").ok());
  EXPECT_EQ(std::filesystem::read_symlink(root_ + "/gpu0"), "HOST-y");
  std::filesystem::create_directory(root_ + "/gpu1");
  ASSERT_TRUE(y->Link("gpu1").ok());
  EXPECT_FALSE(std::filesystem::is_symlink(root_ + "/gpu1"));
}

TEST_F(RuntimeDirTest, ALinkToABrokerThatLivesIsLeftToIt) {
  auto x = RuntimeDir::Open(root_, "HOST-x");
  const auto y = RuntimeDir::Open(root_, "HOST-y");
  ASSERT_TRUE(x->LinkUnlessServed("gpu0").ok());
  ASSERT_TRUE(y->LinkUnlessServed("gpu0").ok());
  EXPECT_EQ(std::filesystem::read_symlink(root_ + "/gpu0"), "HOST-x");

  x = absl::UnavailableError("ended");
  ASSERT_TRUE(y->LinkUnlessServed("gpu0").ok());
  EXPECT_EQ(std::filesystem::read_symlink(root_ + "/gpu0"), "HOST-y");
}

TEST_F(RuntimeDirTest, AGroupIsAdmittedToTheAdminSocket) {
  const auto dir = RuntimeDir::Open(root_, "HOST-x");
  std::ofstream(dir->admin_socket()) << "stands in for a socket";
  const struct group* other = getgrgid(1);
  if (other == nullptr || geteuid() != 0) GTEST_SKIP() << "only root can give files to a group it is not in";

  ASSERT_TRUE(dir->AdmitToAdmin(other->gr_name).ok());

  for (const std::string& path : {dir->admin_socket(), dir->path() + "/admin"}) {
    struct stat st;
    ASSERT_EQ(stat(path.c_str(), &st), 0);
    EXPECT_EQ(st.st_gid, 1u) << path;
    EXPECT_EQ(st.st_mode & 0007, 0u) << path;
    EXPECT_NE(st.st_mode & 0040, 0u) << path;
  }
}

TEST_F(RuntimeDirTest, WithoutTheGroupTheSocketStaysWithItsOwnersGroup) {
  const auto dir = RuntimeDir::Open(root_, "HOST-x");
  std::ofstream(dir->admin_socket()) << "stands in for a socket";

  ASSERT_TRUE(dir->AdmitToAdmin("no-such-group").ok());

  struct stat st;
  ASSERT_EQ(stat(dir->admin_socket().c_str(), &st), 0);
  EXPECT_EQ(st.st_gid, getegid());
  EXPECT_EQ(st.st_mode & 0777, 0660u);
}

TEST_F(RuntimeDirTest, NobodyIsAdmittedToASocketThatIsNotThere) {
  EXPECT_EQ(RuntimeDir::Open(root_, "HOST-x")->AdmitToAdmin("no-such-group").code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace kvbroker
