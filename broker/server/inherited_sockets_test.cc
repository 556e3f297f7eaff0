#include "broker/server/inherited_sockets.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/ipc/packet.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class InheritedSocketsTest : public ::testing::Test {
 protected:
  InheritedSocketsTest() {
    char name[] = "/tmp/kvbXXXXXX";
    dir_ = mkdtemp(name);
  }
  ~InheritedSocketsTest() override {
    for (const char* name : {"LISTEN_PID", "LISTEN_FDS"}) unsetenv(name);
    std::filesystem::remove_all(dir_);
  }

  // As systemd leaves it: `fd` is the process's descriptor 3. What was there before is put aside, and comes back at the end.
  class AsDescriptor3 {
   public:
    explicit AsDescriptor3(UniqueFd fd) {
      const UniqueFd moved(fcntl(fd.get(), F_DUPFD_CLOEXEC, 100));  // it may be 3 itself
      fd.Reset();
      before_.Reset(fcntl(3, F_DUPFD_CLOEXEC, 100));
      dup2(moved.get(), 3);
    }
    ~AsDescriptor3() { before_.valid() ? dup2(before_.get(), 3) : close(3); }

   private:
    UniqueFd before_;
  };

  static InheritedSockets Inherit(int count, int pid = getpid()) {
    setenv("LISTEN_PID", absl::StrCat(pid).c_str(), 1);
    setenv("LISTEN_FDS", absl::StrCat(count).c_str(), 1);
    return InheritedSockets::FromEnvironment();
  }

  std::string dir_;
};

TEST_F(InheritedSocketsTest, WithoutSystemdThereAreNone) {
  EXPECT_THAT(InheritedSockets::FromEnvironment().paths(), IsEmpty());
  EXPECT_THAT(Inherit(1, getpid() + 1).paths(), IsEmpty()) << "another process's";
  EXPECT_THAT(Inherit(-1).paths(), IsEmpty());
  EXPECT_THAT(Inherit(1 << 20).paths(), IsEmpty());
  EXPECT_EQ(getenv("LISTEN_FDS"), nullptr) << "no child takes them for its own";
}

TEST_F(InheritedSocketsTest, WhatSystemdListensOnIsFoundByItsPathOnce) {
  const std::string path = dir_ + "/engine.sock";
  const AsDescriptor3 at_3(*ListenSeqpacket(path, 0600));
  InheritedSockets inherited = Inherit(1);
  EXPECT_THAT(inherited.paths(), ElementsAre(path));
  EXPECT_FALSE(inherited.Take(dir_ + "/other.sock").has_value());
  const std::optional<UniqueFd> socket = inherited.Take(path);
  ASSERT_TRUE(socket.has_value());
  EXPECT_NE(fcntl(socket->get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(fcntl(socket->get(), F_GETFD), FD_CLOEXEC);
  EXPECT_TRUE(ConnectSeqpacket(path).ok());
  EXPECT_FALSE(inherited.Take(path).has_value());
}

TEST_F(InheritedSocketsTest, WhatEnginesCannotComeByIsClosed) {
  const AsDescriptor3 at_3(*ListenStream(dir_ + "/engine.sock", 0600));
  EXPECT_THAT(Inherit(1).paths(), IsEmpty());
  EXPECT_EQ(fcntl(3, F_GETFD), -1);
}

}  // namespace
}  // namespace kvbroker
