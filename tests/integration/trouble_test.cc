// What the machine can do to a broker while engines serve: no descriptors, no folder.

#include <sys/resource.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "client/session/session.h"
#include "gtest/gtest.h"
#include "tests/testing/borrower.h"
#include "tests/testing/broker_process.h"

namespace kvbroker {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(10);

class TroubleTest : public ::testing::Test {
 protected:
  std::unique_ptr<Borrower> Borrow(const std::string& tenant, uint64_t slots) {
    return std::make_unique<Borrower>(
        Borrower::Options{.socket = broker_->engine_socket(), .tenant = tenant, .slots = slots});
  }
  uint64_t Granted() {
    const auto status = broker_->Status();
    return status.ok() ? status->memory().granted() : 0;
  }
  void LeaveDescriptors(rlim_t descriptors) {
    rlimit limit;
    ASSERT_EQ(prlimit(broker_->pid(), RLIMIT_NOFILE, nullptr, &limit), 0);
    limit.rlim_cur = descriptors;
    ASSERT_EQ(prlimit(broker_->pid(), RLIMIT_NOFILE, &limit, nullptr), 0);
  }

  std::unique_ptr<BrokerProcess> broker_ = BrokerProcess::Start({"--host-memory", "512MiB"});
};

// Each slot is a descriptor on its way to the client, and each session has some.
TEST_F(TroubleTest, SixtyFourDescriptorsLendAllThereIs) {
  LeaveDescriptors(64);
  std::vector<std::unique_ptr<Borrower>> borrowers;
  for (const char* tenant : {"a", "b"}) {
    // Who comes while all are on their way is refused, and may come again.
    borrowers.push_back(Borrow(tenant, 128));
    EXPECT_TRUE(Eventually(kSoon, [&] { return borrowers.back()->held() == 128; })) << borrowers.back()->held() << "\n"
                                                                                    << broker_->log();
  }
}

TEST_F(TroubleTest, WithoutDescriptorsNobodyIsLostAndTheNextIsServedWhenThereAreSome) {
  const auto first = Borrow("a", 64);
  ASSERT_TRUE(Eventually(kSoon, [&] { return first->held() == 64; }));
  LeaveDescriptors(3);  // fewer than it has
  first->Want(128);
  const auto refused = Session::Open({.tenant = "b", .engine = "trouble_test", .socket = broker_->engine_socket()});
  EXPECT_FALSE(refused.ok());
  EXPECT_EQ(first->held(), 64u);
  EXPECT_TRUE(broker_->running()) << broker_->log();
  LeaveDescriptors(1024);
  EXPECT_TRUE(Eventually(kSoon, [&] { return first->held() == 128; })) << first->held() << "\n" << broker_->log();
  const auto second = Borrow("b", 8);
  EXPECT_TRUE(Eventually(kSoon, [&] { return second->held() == 8; })) << broker_->log();
}

TEST_F(TroubleTest, WhoIsConnectedIsServedThoughTheFolderIsGone) {
  const auto borrower = Borrow("a", 16);
  ASSERT_TRUE(Eventually(kSoon, [&] { return borrower->held() == 16; }));
  for (const auto& entry : std::filesystem::directory_iterator(broker_->runtime_dir())) {
    if (entry.path().filename() != "log") std::filesystem::remove_all(entry.path());
  }
  borrower->Want(32);
  EXPECT_TRUE(Eventually(kSoon, [&] { return borrower->held() == 32; })) << broker_->log();
  // The next broker makes the folder anew. There is no journal: the client says what it has.
  broker_->Kill(SIGKILL);
  broker_->Wait();
  broker_->Restart();
  EXPECT_TRUE(Eventually(kSoon, [&] { return Granted() == MiB(2).in_bytes() * 32; })) << broker_->log();
  borrower->Want(48);
  EXPECT_TRUE(Eventually(kSoon, [&] { return borrower->held() == 48; })) << broker_->log();
}

}  // namespace
}  // namespace kvbroker
