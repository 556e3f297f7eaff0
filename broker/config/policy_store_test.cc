#include "broker/config/policy_store.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uid_t kNobody = 65534;

// Every field another than its default, and numbers that no unit makes round.
TenantPolicy OddPolicy() {
  return {.reserved = Bytes(4'294'967'297),
          .guarantee = Bytes(4'294'967'299),
          .guarantee_deadline = absl::Milliseconds(1'250),
          .limit = Bytes(8'589'934'593),
          .weight = 7,
          .tenant_class = TenantClass::kBatch,
          .missed_target = MissedTarget::kEndProcess};
}

class PolicyStoreTest : public ::testing::Test {
 protected:
  PolicyStoreTest() {
    char name[] = "/tmp/policyXXXXXX";
    root_ = mkdtemp(name);
    path_ = absl::StrCat(root_, "/HOST-x/policy.textproto");
  }
  ~PolicyStoreTest() override { std::filesystem::remove_all(root_); }

  std::string Text() const {
    std::stringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }

  void Put(const std::string& text) {
    std::filesystem::create_directories(root_ + "/HOST-x");
    std::ofstream(path_) << text;
  }

  // A store of the tenants a (odd) and b (the standard), with revision 5.
  PolicyStore Saved() {
    PolicyStore store = *PolicyStore::Open(path_);
    EXPECT_TRUE(store.Save({{"a", OddPolicy()}, {"b", {}}}, 5).ok());
    return store;
  }

  std::string root_;
  std::string path_;
};

TEST_F(PolicyStoreTest, AMissingFileIsAnEmptyStore) {
  const absl::StatusOr<PolicyStore> store = PolicyStore::Open(path_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_THAT(store->tenants(), IsEmpty());
  EXPECT_EQ(store->revision(), 0u);
}

TEST_F(PolicyStoreTest, SurvivesAReopenToTheByte) {
  Saved();
  const absl::StatusOr<PolicyStore> store = PolicyStore::Open(path_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(store->revision(), 5u);
  ASSERT_EQ(store->tenants().size(), 2u);
  EXPECT_EQ(store->tenants().at("a"), OddPolicy());
  EXPECT_EQ(store->tenants().at("b"), TenantPolicy());
}

TEST_F(PolicyStoreTest, ALimitOfNothingIsNotNoLimit) {
  Saved().Save({{"a", {.limit = Bytes()}}}, 6).IgnoreError();
  EXPECT_EQ(PolicyStore::Open(path_)->tenants().at("a").limit, Bytes());
}

TEST_F(PolicyStoreTest, ASaveReplacesAllAndLeavesNothingBehind) {
  PolicyStore store = Saved();
  ASSERT_TRUE(store.Save({{"c", {.weight = 9}}}, 6).ok());
  EXPECT_EQ(store.revision(), 6u);
  const absl::StatusOr<PolicyStore> again = PolicyStore::Open(path_);
  EXPECT_EQ(again->tenants().size(), 1u);
  EXPECT_EQ(again->tenants().at("c").weight, 9u);
  const std::filesystem::directory_iterator files(root_ + "/HOST-x");
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST_F(PolicyStoreTest, ATornFileIsNamedWhereverItEnds) {
  Saved();
  const std::string whole = Text();
  // The last line feed is no loss.
  for (size_t size = 0; size + 1 < whole.size(); ++size) {
    Put(whole.substr(0, size));
    const absl::Status status = PolicyStore::Open(path_).status();
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss) << size << " of " << whole.size();
    ASSERT_THAT(std::string(status.message()), HasSubstr(path_));
  }
}

TEST_F(PolicyStoreTest, SaysWhatIsWrongInADamagedFile) {
  Saved();
  const std::string whole = Text();
  struct Damage {
    const char* from;
    const char* to;
    const char* named;
  };
  for (const Damage& damage : std::vector<Damage>{{"weight: 7", "weight: 0", "tenant 'a': a weight of 0"},
                                                  {"weight: 7", "wieght: 7", "wieght"},
                                                  {"batch", "vip", "'vip'"},
                                                  {"end_process", "pray", "'pray'"},
                                                  {"1.25s", "soon", "'soon'"},
                                                  {"name: \"b\"", "name: \"a\"", "'a' stands there twice"},
                                                  {"name: \"b\"", "name: \"../b\"", "'../b'"},
                                                  {"8589934593", "5", "is more than the limit"},
                                                  {"revision: 5", "", "no revision"},
                                                  {"tenants: 2", "tenants: 3", "2 of 3 tenants"}}) {
    Put(absl::StrReplaceAll(whole, {{damage.from, damage.to}}));
    const absl::Status status = PolicyStore::Open(path_).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << damage.to;
    EXPECT_THAT(std::string(status.message()), HasSubstr(damage.named));
  }
}

TEST_F(PolicyStoreTest, AFileThatCannotBeReadIsNotTakenForNone) {
  std::filesystem::create_directories(path_);
  EXPECT_EQ(PolicyStore::Open(path_).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(PolicyStoreTest, AFolderThatCannotBeWrittenToLeavesTheFileAsItIs) {
  PolicyStore store = Saved();
  const std::string before = Text();
  ASSERT_EQ(chmod(root_.c_str(), 0755), 0);
  ASSERT_EQ(chmod((root_ + "/HOST-x").c_str(), 0555), 0);
  const bool root = geteuid() == 0;
  if (root) {
    ASSERT_EQ(seteuid(kNobody), 0);
  }
  const absl::Status status = store.Save({{"c", {}}}, 6);
  if (root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  ASSERT_EQ(chmod((root_ + "/HOST-x").c_str(), 0755), 0);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path_));
  EXPECT_EQ(Text(), before);
  EXPECT_EQ(store.revision(), 5u);
  EXPECT_EQ(store.tenants().size(), 2u);
}

TEST_F(PolicyStoreTest, ADiskThatIsFullLeavesTheFileAsItIs) {
  PolicyStore store = Saved();
  const std::string before = Text();
  signal(SIGXFSZ, SIG_IGN);
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small = {.rlim_cur = 100, .rlim_max = limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status = store.Save({{"c", {}}}, 6);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Text(), before);
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
}

TEST_F(PolicyStoreTest, AFolderThatCannotBeMadeIsNamed) {
  std::ofstream(root_ + "/file") << "a file";
  const std::string path = root_ + "/file/HOST-x/policy.textproto";
  EXPECT_EQ(PolicyStore::Open(path).status().code(), absl::StatusCode::kUnavailable);
  PolicyStore store = *PolicyStore::Open(root_ + "/missing/policy.textproto");
  std::ofstream(root_ + "/missing") << "a file";
  const absl::Status status = store.Save({{"c", {}}}, 6);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(root_ + "/missing"));
}

}  // namespace
}  // namespace kvbroker
