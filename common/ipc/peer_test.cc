#include "common/ipc/peer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

class PeerTest : public ::testing::Test {
 protected:
  PeerTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    near_ = UniqueFd(ends[0]);
    far_ = UniqueFd(ends[1]);
  }

  UniqueFd near_;
  UniqueFd far_;
};

TEST_F(PeerTest, IdentifiesAProcessByItsOwnPidfd) {
  const absl::StatusOr<ProcessIdentity> peer = IdentifyPeer(near_.get(), OwnPidfd()->get());
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->pid, getpid());
  EXPECT_EQ(peer->uid, getuid());
  EXPECT_GT(peer->start_time, 0u);
}

TEST_F(PeerTest, KnowsUserAndGroups) {
  const absl::StatusOr<PeerCredentials> peer = CredentialsOf(near_.get());
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->pid, getpid());
  EXPECT_EQ(peer->uid, getuid());
  EXPECT_TRUE(peer->IsIn(getgid()));
  EXPECT_FALSE(peer->IsIn(static_cast<gid_t>(-2)));
  std::vector<gid_t> groups(static_cast<size_t>(getgroups(0, nullptr)));
  ASSERT_EQ(getgroups(static_cast<int>(groups.size()), groups.data()), static_cast<int>(groups.size()));
  EXPECT_EQ(peer->groups, groups);
  EXPECT_FALSE(CredentialsOf(-1).ok());
}

TEST_F(PeerTest, RefusesAnotherProcessesPidfd) {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  const UniqueFd others(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  EXPECT_EQ(IdentifyPeer(near_.get(), others.get()).status().code(), absl::StatusCode::kUnauthenticated);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(IdentifyPeer(near_.get(), others.get()).status().code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(PeerTest, RefusesADescriptorThatIsNoPidfd) {
  const UniqueFd file(open("/dev/null", O_RDONLY));
  EXPECT_EQ(IdentifyPeer(near_.get(), file.get()).status().code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(PeerTest, FindsAProcessAgain) {
  const absl::StatusOr<ProcessIdentity> self = IdentifyPeer(near_.get(), OwnPidfd()->get());
  EXPECT_TRUE(OpenProcess(*self).ok());
}

TEST_F(PeerTest, DoesNotTakeAnotherForAProcessThatEnded) {
  absl::StatusOr<ProcessIdentity> self = IdentifyPeer(near_.get(), OwnPidfd()->get());
  --self->start_time;  // its pid is ours now
  EXPECT_EQ(OpenProcess(*self).status().code(), absl::StatusCode::kNotFound);
  for (const int64_t pid : {int64_t{0}, int64_t{-1}, int64_t{1} << 40, int64_t{1} << 30}) {
    EXPECT_EQ(OpenProcess({.pid = pid, .start_time = 1}).status().code(), absl::StatusCode::kNotFound) << pid;
  }
}

}  // namespace
}  // namespace kvbroker
