#include "cli/exporter/brokers.h"

#include <prometheus/text_serializer.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/time/clock.h"
#include "cli/testing/fake_broker.h"
#include "common/base/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

UniqueFd ListenAndNeverAccept(const std::string& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  EXPECT_EQ(bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(listen(socket.get(), 8), 0);
  return socket;
}

class BrokersTest : public ::testing::Test {
 protected:
  // As brokers leave it, for as long as the machine runs.
  void LeaveEpoch(const std::string& uuid) {
    std::filesystem::create_directories(dir_.path() + "/" + uuid);
    std::ofstream(dir_.path() + "/" + uuid + "/epoch") << "1\n";
  }
  std::string Scrape() const { return prometheus::TextSerializer().Serialize(Brokers(dir_.path()).Collect()); }

  TempDir dir_;
};

TEST_F(BrokersTest, AllThatRunAreThereWithTheirNumbers) {
  const FakeBroker first(dir_.path(), "GPU-a");
  const FakeBroker second(dir_.path(), "GPU-b");
  LeaveEpoch("GPU-a");
  LeaveEpoch("GPU-b");
  std::filesystem::create_symlink("GPU-b", dir_.path() + "/gpu1");
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr("kvbroker_up{gpu=\"\",UUID=\"GPU-a\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kvbroker_up{gpu=\"1\",UUID=\"GPU-b\"} 1\n"));
}

TEST_F(BrokersTest, OneThatHangsIsNotUpAndHidesNoOther) {
  const FakeBroker works(dir_.path(), "GPU-b");
  LeaveEpoch("GPU-a");
  LeaveEpoch("GPU-b");
  std::filesystem::create_directories(dir_.path() + "/GPU-a/admin");
  const UniqueFd hangs = ListenAndNeverAccept(dir_.path() + "/GPU-a/admin/admin.sock");
  const absl::Time asked = absl::Now();
  const std::string text = Scrape();
  EXPECT_LT(absl::Now() - asked, absl::Seconds(4)) << "as an example's scrape may take";
  EXPECT_THAT(text, HasSubstr("kvbroker_up{gpu=\"\",UUID=\"GPU-a\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("kvbroker_up{gpu=\"\",UUID=\"GPU-b\"} 1\n"));
}

TEST_F(BrokersTest, OneThatHasDiedIsNotUp) {
  LeaveEpoch("GPU-a");
  EXPECT_THAT(Scrape(), HasSubstr("kvbroker_up{gpu=\"\",UUID=\"GPU-a\"} 0\n"));
}

TEST_F(BrokersTest, OneThatAnswersWithAnErrorIsNotUpAndHidesNoOther) {
  FakeBroker fails(dir_.path(), "GPU-a");
  const FakeBroker works(dir_.path(), "GPU-b");
  LeaveEpoch("GPU-a");
  LeaveEpoch("GPU-b");
  fails.Fail({grpc::StatusCode::UNAVAILABLE, "the broker is ending"});
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr("kvbroker_up{gpu=\"\",UUID=\"GPU-a\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("kvbroker_memory_granted_bytes{gpu=\"\",UUID=\"GPU-b\"}"));
}

TEST_F(BrokersTest, WhereThereIsNoneThereIsNothing) {
  EXPECT_THAT(Brokers(dir_.path()).Collect(), IsEmpty());
  EXPECT_THAT(Brokers(dir_.path() + "/nowhere").Collect(), IsEmpty());
}

TEST_F(BrokersTest, WhatElseIsInTheRuntimeDirectoryIsNoBroker) {
  std::filesystem::create_directories(dir_.path() + "/state");
  std::filesystem::create_symlink("nowhere", dir_.path() + "/gpu0");
  EXPECT_THAT(Scrape(), Not(HasSubstr("up")));
}

}  // namespace
}  // namespace kvbroker::cli
