#include "common/ipc/packet.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

class PacketTest : public ::testing::Test {
 protected:
  PacketTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    near_ = UniqueFd(ends[0]);
    far_ = UniqueFd(ends[1]);
  }

  UniqueFd near_;
  UniqueFd far_;
};

TEST_F(PacketTest, CarriesBytesAndDescriptorsAndKeepsPacketsApart) {
  const UniqueFd file(open("/dev/null", O_RDONLY));
  ASSERT_TRUE(SendPacket(near_.get(), "one", {file.get(), file.get()}).ok());
  ASSERT_TRUE(SendPacket(near_.get(), "two").ok());

  const std::optional<Packet> one = std::move(*ReceivePacket(far_.get()));
  const std::optional<Packet> two = std::move(*ReceivePacket(far_.get()));

  EXPECT_EQ(one->bytes, "one");
  EXPECT_EQ(one->fds.size(), 2u);
  EXPECT_NE(fcntl(one->fds[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(two->bytes, "two");
  EXPECT_TRUE(two->fds.empty());
}

TEST_F(PacketTest, NothingThereIsNoError) { EXPECT_FALSE(ReceivePacket(far_.get())->has_value()); }

TEST_F(PacketTest, AClosedPeerIsUnavailable) {
  near_.Reset();
  EXPECT_EQ(ReceivePacket(far_.get()).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(SendPacket(far_.get(), "x").code(), absl::StatusCode::kUnavailable);
}

TEST_F(PacketTest, DescriptorsCutOffByTheLimitAreDataLossAndNoneLeaks) {
  const UniqueFd file(open("/dev/null", O_RDONLY));
  const std::vector<int> fds(20, file.get());
  ASSERT_TRUE(SendPacket(near_.get(), "x", fds).ok());
  rlimit before;
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit tight = {.rlim_cur = static_cast<rlim_t>(file.get() + 4), .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &tight);

  const auto received = ReceivePacket(far_.get());
  const UniqueFd next(open("/dev/null", O_RDONLY));
  setrlimit(RLIMIT_NOFILE, &before);

  EXPECT_EQ(received.status().code(), absl::StatusCode::kDataLoss) << received.status();
  EXPECT_EQ(next.get(), file.get() + 1) << "the descriptors that did arrive are closed";
}

TEST_F(PacketTest, ATooLongPacketIsDataLoss) {
  const std::string large(kLargestPacket + 1, 'x');
  ASSERT_EQ(send(near_.get(), large.data(), large.size(), 0), static_cast<ssize_t>(large.size()));
  EXPECT_EQ(ReceivePacket(far_.get()).status().code(), absl::StatusCode::kDataLoss);
}

TEST(SocketPathTest, NamesAPathThatIsTooLong) {
  const std::string path = "/tmp/" + std::string(108, 'x');
  const absl::Status status = ListenSeqpacket(path, 0600).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  EXPECT_EQ(ConnectSeqpacket(path).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(SocketPathTest, NobodyListeningIsNotFound) {
  EXPECT_EQ(ConnectSeqpacket("/nonexistent/engine.sock").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace kvbroker
