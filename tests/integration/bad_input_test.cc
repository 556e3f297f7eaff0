// Whatever is sent to the broker's sockets or given to its command line: one clear error that names it, nothing lost,
// and the broker goes on.

#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/channel/broker_connection.h"
#include "client/session/session.h"
#include "common/ipc/packet.h"
#include "common/ipc/peer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/engine.pb.h"
#include "tests/testing/broker_process.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kSoon = absl::Seconds(10);

v1::ClientFrame GoodHello() {
  v1::ClientFrame frame;
  frame.mutable_hello()->set_min_version(1);
  frame.mutable_hello()->set_max_version(1);
  frame.mutable_hello()->set_tenant("a");
  return frame;
}

// ---------------------------------------------------------------- the engine socket

class BadInputTest : public ::testing::Test {
 protected:
  // Sends one packet as the first of a connection, and returns how the broker rejects it.
  v1::Rejected Rejection(const std::string& bytes, const std::vector<int>& fds) {
    const UniqueFd socket = *ConnectSeqpacket(broker_->engine_socket());
    EXPECT_TRUE(SendPacket(socket.get(), bytes, fds).ok());
    return RejectionOn(socket.get());
  }

  v1::Rejected RejectionOn(int socket) {
    pollfd readable = {.fd = socket, .events = POLLIN};
    EXPECT_EQ(poll(&readable, 1, 10'000), 1) << "the broker says nothing";
    const auto packet = ReceivePacket(socket);
    v1::BrokerFrame frame;
    EXPECT_TRUE(packet.ok() && packet->has_value() && frame.ParseFromString((*packet)->bytes)) << packet.status();
    EXPECT_TRUE(frame.has_rejected()) << frame.body_case();
    return frame.rejected();
  }

  // The broker serves others as before, and nothing is left of what was tried.
  void ExpectUnharmed() {
    auto session = Session::Open({.tenant = "a", .socket = broker_->engine_socket()});
    ASSERT_TRUE(session.ok()) << session.status();
    auto arena = *(*session)->CreateArena({.planes = {MiB(2)}, .slots = 4, .low = 0});
    ASSERT_TRUE(arena->SetWant(2).ok());
    EXPECT_TRUE(arena->WaitReady(2, kSoon).ok());
    arena.reset();
    session->reset();
    EXPECT_TRUE(broker_->BecomesIdle(kSoon));
    const absl::StatusOr<admin::v1::Status> status = broker_->Status();
    EXPECT_TRUE(status.ok());
  }

  std::unique_ptr<BrokerProcess> broker_ = BrokerProcess::Start({"--host-memory", "64MiB", "--tenant", "a=32MiB"});
  UniqueFd pidfd_ = *OwnPidfd();
};

TEST_F(BadInputTest, GarbageInsteadOfHello) {
  EXPECT_THAT(Rejection("\xff\xff\xff garbage", {pidfd_.get()}).message(), HasSubstr("11 bytes"));
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    std::string bytes(1 + random() % 3000, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    EXPECT_NE(Rejection(bytes, {pidfd_.get()}).code(), 0);
  }
  ExpectUnharmed();
}

TEST_F(BadInputTest, HelloWithoutAPidfdOrWithTooMany) {
  EXPECT_THAT(Rejection(GoodHello().SerializeAsString(), {}).message(), HasSubstr("not with 0"));
  EXPECT_THAT(Rejection(GoodHello().SerializeAsString(), std::vector<int>(200, pidfd_.get())).message(),
              HasSubstr("not with 200"));
  ExpectUnharmed();
}

TEST_F(BadInputTest, HelloWithADescriptorThatIsNoPidfd) {
  const UniqueFd file(open("/dev/null", O_RDONLY));
  const v1::Rejected rejected = Rejection(GoodHello().SerializeAsString(), {file.get()});
  EXPECT_EQ(rejected.code(), static_cast<int>(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(rejected.message(), HasSubstr("no pidfd"));
}

TEST_F(BadInputTest, HelloOfAnotherVersionTenantOrDevice) {
  v1::ClientFrame frame = GoodHello();
  frame.mutable_hello()->set_min_version(7);
  frame.mutable_hello()->set_max_version(9);
  EXPECT_THAT(Rejection(frame.SerializeAsString(), {pidfd_.get()}).message(), HasSubstr("versions 7 to 9"));
  frame = GoodHello();
  frame.mutable_hello()->set_tenant("no\nsuch");
  EXPECT_THAT(Rejection(frame.SerializeAsString(), {pidfd_.get()}).message(), HasSubstr("'no\\nsuch'"));
  frame = GoodHello();
  frame.mutable_hello()->set_device_uuid("GPU-1234");
  EXPECT_THAT(Rejection(frame.SerializeAsString(), {pidfd_.get()}).message(), HasSubstr("'GPU-1234'"));
  frame = GoodHello();
  frame.mutable_hello()->set_role(v1::ROLE_MAPPER);
  EXPECT_THAT(Rejection(frame.SerializeAsString(), {pidfd_.get()}).message(), HasSubstr("tensor parallelism"));
  ExpectUnharmed();
}

TEST_F(BadInputTest, APeerThatSaysNothingIsLetGo) {
  const UniqueFd silent = *ConnectSeqpacket(broker_->engine_socket());
  ExpectUnharmed();
  const v1::Rejected rejected = RejectionOn(silent.get());
  EXPECT_EQ(rejected.code(), static_cast<int>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(rejected.message(), HasSubstr("no Hello within 5s"));
}

TEST_F(BadInputTest, ManySilentPeersDoNotKeepOthersOut) {
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 250; ++i) silent.push_back(*ConnectSeqpacket(broker_->engine_socket()));
  ExpectUnharmed();
}

TEST_F(BadInputTest, GarbageOnAnAdmittedConnection) {
  const UniqueFd socket = *ConnectSeqpacket(broker_->engine_socket());
  ASSERT_TRUE(SendPacket(socket.get(), GoodHello().SerializeAsString(), {pidfd_.get()}).ok());
  pollfd readable = {.fd = socket.get(), .events = POLLIN};
  ASSERT_EQ(poll(&readable, 1, 10'000), 1);
  ASSERT_TRUE(ReceivePacket(socket.get()).ok());

  ASSERT_TRUE(SendPacket(socket.get(), "\xff\xff garbage").ok());

  EXPECT_THAT(RejectionOn(socket.get()).message(), HasSubstr("no frame"));
  ExpectUnharmed();
}

TEST_F(BadInputTest, FramesThatBreakTheRules) {
  const auto frames = std::vector<std::pair<std::function<void(v1::ClientFrame&)>, std::string>>{
      {[](v1::ClientFrame& f) { f.mutable_fetch()->set_lease_id(77); }, "0 slots"},
      {[](v1::ClientFrame& f) {
         f.mutable_fetch()->set_lease_id(77);
         f.mutable_fetch()->set_max_slots(1);
       },
       "lease 77"},
      {[](v1::ClientFrame& f) { f.mutable_hello()->set_tenant("a"); }, "second Hello"},
      {[](v1::ClientFrame& f) { f.mutable_nack()->set_lease_id(UINT64_MAX); }, "lease 18446744073709551615"},
  };
  for (const auto& [fill, named] : frames) {
    auto connection = BrokerConnection::Open(broker_->engine_socket(), GoodHello());
    ASSERT_TRUE(connection.ok()) << connection.status();
    v1::ClientFrame frame;
    fill(frame);
    ASSERT_TRUE((*connection)->Send(frame).ok());
    absl::Status rejected;
    EXPECT_TRUE(Eventually(kSoon, [&] {
      const auto batch = (*connection)->Receive();
      rejected = batch.status();
      return !batch.ok();
    }));
    EXPECT_THAT(std::string(rejected.message()), HasSubstr(named));
  }
  ExpectUnharmed();
}

// ---------------------------------------------------------------- the control channel

TEST_F(BadInputTest, MessagesThatCannotBeFollowedAreAnsweredByName) {
  auto connection = *BrokerConnection::Open(broker_->engine_socket(), GoodHello());
  const auto answer_to = [&](const std::function<void(v1::ClientMessage&)>& fill) {
    v1::ClientMessage message;
    fill(message);
    EXPECT_TRUE(connection->Send(message));
    v1::BrokerMessage answer;
    while (connection->Read(answer)) {
      if (answer.has_error()) return answer.error().message();
    }
    return std::string("the stream ended");
  };
  EXPECT_THAT(answer_to([](auto& m) { m.mutable_want()->set_arena_id(9); }), HasSubstr("arena 9"));
  EXPECT_THAT(answer_to([](auto& m) { m.mutable_arena_open(); }), HasSubstr("arena 0"));
  EXPECT_THAT(answer_to([](auto& m) {
                auto& arena = *m.mutable_arena_open()->mutable_arena();
                arena.set_arena_id(1);
                arena.set_slots(UINT64_MAX);
                arena.add_planes()->set_extent_bytes(MiB(2).in_bytes());
              }),
              HasSubstr("18446744073709551615 slots"));
  EXPECT_THAT(answer_to([](auto& m) {
                auto& arena = *m.mutable_arena_open()->mutable_arena();
                arena.set_arena_id(1);
                arena.set_slots(1);
                arena.add_planes()->set_extent_bytes(12345);
              }),
              HasSubstr("12345 bytes"));
  EXPECT_THAT(answer_to([](auto& m) { m.mutable_released()->set_lease_id(5); }), HasSubstr("lease 5"));
  EXPECT_THAT(answer_to([](auto& m) { m.mutable_reserve_external(); }), HasSubstr("room"));
  EXPECT_THAT(answer_to([](auto&) {}), HasSubstr("empty message"));
  connection.reset();
  ExpectUnharmed();
}

// ---------------------------------------------------------------- the admin socket

TEST_F(BadInputTest, GarbageOnTheAdminSocket) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address = {.sun_family = AF_UNIX};
  std::snprintf(address.sun_path, sizeof(address.sun_path), "%s", broker_->admin_socket().c_str());
  ASSERT_EQ(connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::string garbage(100'000, '\x93');
  send(socket.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ExpectUnharmed();
}

TEST_F(BadInputTest, AdminRequestsThatMakeNoSense) {
  const auto set = [&](const std::function<void(admin::v1::SetTenantRequest&)>& fill) {
    return broker_->SetTenant([&](admin::v1::SetTenantRequest& request) {
      request.set_tenant("a");
      fill(request);
    });
  };
  const grpc::Status unknown = set([](auto& r) {
    r.set_tenant("gold");
    r.mutable_limit()->set_none(true);
  });
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(unknown.error_message(), HasSubstr("'gold'"));
  EXPECT_THAT(unknown.error_message(), HasSubstr("there are: a"));
  EXPECT_THAT(set([](auto&) {}).error_message(), HasSubstr("nothing is to be changed"));
  EXPECT_THAT(set([](auto& r) { r.mutable_limit(); }).error_message(), HasSubstr("no amount is given"));
  EXPECT_THAT(set([](auto& r) { r.mutable_limit()->set_percent(120); }).error_message(), HasSubstr("120%"));
  EXPECT_THAT(set([](auto& r) { r.set_weight(0); }).error_message(), HasSubstr("a weight of 0"));
  EXPECT_THAT(set([](auto& r) { r.set_tenant_class(static_cast<admin::v1::TenantClass>(77)); }).error_message(),
              HasSubstr("no class 77"));
  EXPECT_THAT(set([](auto& r) { r.mutable_reserved()->set_bytes(UINT64_MAX); }).error_message(),
              HasSubstr("is more than the limit"));
  EXPECT_THAT(set([](auto& r) {
                r.mutable_limit()->set_none(true);
                r.mutable_guarantee()->set_bytes(UINT64_MAX);
              }).error_message(),
              HasSubstr("would be assured of"));
  EXPECT_TRUE(set([](auto& r) { r.mutable_limit()->set_bytes(UINT64_MAX); }).ok());
  ExpectUnharmed();
}

// ---------------------------------------------------------------- the command line

struct Outcome {
  int exit_code;
  std::string error;
};

Outcome RunBroker(const std::string& arguments) {
  const std::string command = absl::StrCat(DataPath("broker/kvbrokerd"), " ", arguments, " 2>&1");
  FILE* pipe = popen(command.c_str(), "r");
  std::string output;
  char buffer[512];
  while (fgets(buffer, sizeof(buffer), pipe) != nullptr) output += buffer;
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
}

TEST(CommandLineTest, UnknownFlagsAndBadValuesAreUsageErrorsInOneLine) {
  TempDir dir;
  std::ofstream(dir.path() + "/bad.textproto") << "capacity: \"40GB!\"\n";
  std::ofstream(dir.path() + "/broken.textproto") << "capacity: 5\nnonsense { }\n";
  std::ofstream(dir.path() + "/over.textproto") << "capacity: \"1GiB\"\n"
                                                   "tenant { name: \"a\" guarantee: \"600MiB\" }\n"
                                                   "tenant { name: \"b\" reserved: \"50%\" }\n";
  std::ofstream(dir.path() + "/limit.textproto") << "tenant { name: \"a\" limit: \"1GiB\" reserved: \"2GiB\" }\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"--nonsense", "--nonsense"},
      {"--capacity '40GB!'", "'40GB!'"},
      {"--headroom=-5GiB", "'-5GiB'"},
      {"--tenant a=-1GiB", "'-1GiB'"},
      {"--tenant a=130%", "'130%'"},
      {"--tenant a/b=1GiB", "'a/b'"},
      {"--config /nonexistent.textproto", "/nonexistent.textproto"},
      {"--config " + dir.path() + "/bad.textproto", "'40GB!'"},
      {"--config " + dir.path() + "/broken.textproto", "broken.textproto:1:"},
      {"--config " + dir.path() + "/over.textproto", "1.09 GiB in all, more than the capacity, 1 GiB"},
      {"--config " + dir.path() + "/limit.textproto", "tenant 'a': reserved 2 GiB is more than the limit"},
  };
  for (const auto& [arguments, named] : cases) {
    const Outcome outcome = RunBroker(arguments + " --check");
    EXPECT_EQ(outcome.exit_code, 2) << arguments;
    EXPECT_THAT(outcome.error, HasSubstr(named)) << arguments;
    EXPECT_EQ(std::count(outcome.error.begin(), outcome.error.end(), '\n'), 1) << outcome.error;
  }
}

TEST(CommandLineTest, ARuntimeDirThatIsTooLongForSocketsIsNamed) {
  const std::string path = "/tmp/" + std::string(100, 'x');
  const Outcome outcome = RunBroker("--device host --runtime-dir " + path);
  EXPECT_EQ(outcome.exit_code, 2) << "it never will do";
  EXPECT_THAT(outcome.error, HasSubstr(path));
  EXPECT_THAT(outcome.error, HasSubstr("107"));
}

TEST(CommandLineTest, ADeviceThatCannotBeIsNamed) {
  TempDir dir;
  const Outcome outcome = RunBroker("--device toaster:3 --runtime-dir " + dir.path());
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.error, HasSubstr("toaster:3"));
}

TEST(CommandLineTest, ASecondBrokerForADeviceIsRefusedByTheFirstOnesName) {
  const auto first = BrokerProcess::Start({});
  const Outcome second = RunBroker("--device host --runtime-dir " + first->runtime_dir());
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.error, HasSubstr(absl::StrCat("process ", first->pid())));
  EXPECT_TRUE(first->Status().ok()) << "the first one goes on";
}

}  // namespace
}  // namespace kvbroker
