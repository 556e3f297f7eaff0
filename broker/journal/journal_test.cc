#include "broker/journal/journal.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "broker/core/testing/some_records.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class JournalTest : public ::testing::Test {
 protected:
  JournalTest() {
    char name[] = "/tmp/journalXXXXXX";
    folder_ = mkdtemp(name);
    path_ = absl::StrCat(folder_, "/journal");
  }
  ~JournalTest() override { std::filesystem::remove_all(folder_); }

  Journal Open(uint64_t epoch = 1) { return *Journal::Open(path_, {.boot_id = "b", .device_uuid = "d"}, epoch); }

  std::string folder_;
  std::string path_;
};

TEST_F(JournalTest, WithoutAFileItBeginsWithNothing) {
  const Journal journal = Open();
  EXPECT_EQ(journal.accounts(), Accounts());
  EXPECT_THAT(journal.trouble(), IsEmpty());
}

TEST_F(JournalTest, WhatIsAppendedIsThereForTheNext) {
  Accounts accounts;
  {
    Journal journal = Open();
    ASSERT_TRUE(journal.Append({ASession(1), ALease(1, 1, 5)}).ok());
    ASSERT_TRUE(journal.Append({ALease(1, 1, 6)}).ok());
    accounts = journal.accounts();
  }
  const Journal next = Open(2);
  EXPECT_EQ(next.accounts(), accounts);
  EXPECT_EQ(next.accounts().leases().at(LeaseId(1)).held, 6u);
  EXPECT_EQ(Open(3).accounts(), accounts) << "who comes after one that kept nothing new";
}

TEST_F(JournalTest, WhoIsKilledLeavesWhatItAppended) {
  const pid_t child = fork();
  if (child == 0) {
    Journal journal = Open();
    if (!journal.Append({ASession(1), ALease(1, 1, 5)}).ok()) _exit(1);
    raise(SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_THAT(Open(2).accounts().leases(), SizeIs(1));
}

TEST_F(JournalTest, ATornTailIsToldAndGone) {
  Journal journal = Open();
  ASSERT_TRUE(journal.Append({ASession(1), ALease(1, 1, 5)}).ok());
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 1);
  Journal next = Open(2);
  EXPECT_THAT(next.trouble(), HasSubstr("cut off"));
  EXPECT_THAT(next.trouble(), HasSubstr(path_));
  EXPECT_THAT(next.accounts().sessions(), SizeIs(1));
  ASSERT_TRUE(next.Append({ALease(2, 1, 1)}).ok());
  const Journal third = Open(3);
  EXPECT_THAT(third.trouble(), IsEmpty());
  EXPECT_THAT(third.accounts().leases(), SizeIs(1));
}

TEST_F(JournalTest, ItDoesNotGrowForEver) {
  Journal journal = Open();
  ASSERT_TRUE(journal.Append({ASession(1)}).ok());
  uint64_t longest = 0;
  for (uint64_t i = 0; i < 100'000; ++i) {
    ASSERT_TRUE(journal.Append({ALease(1, 1, 1 + i % 50)}).ok());
    if (i % 1000 == 0) longest = std::max<uint64_t>(longest, std::filesystem::file_size(path_));
  }
  EXPECT_LE(longest, (1u << 20) + 64 * 1024);
  EXPECT_EQ(Open(2).accounts(), journal.accounts());
}

TEST_F(JournalTest, AFullDiskIsToldAndMadeGoodLater) {
  Journal journal = Open();
  ASSERT_TRUE(journal.Append({ASession(1)}).ok());
  signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = std::filesystem::file_size(path_) + 10;  // half a record fits
  setrlimit(RLIMIT_FSIZE, &small);
  const absl::Status full = journal.Append({ALease(1, 1, 5)});
  const absl::Status still = journal.Append({ALease(1, 1, 6)});
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(full.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(full.message(), HasSubstr(path_));
  EXPECT_EQ(still.code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(journal.Append({ALease(2, 1, 1)}).ok());
  EXPECT_EQ(Open(2).accounts(), journal.accounts());
}

TEST_F(JournalTest, WhereItCannotBeWrittenItDoesNotOpen) {
  path_ = absl::StrCat(folder_, "/nowhere/journal");
  const absl::StatusOr<Journal> journal = Journal::Open(path_, {}, 1);
  EXPECT_EQ(journal.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(journal.status().message(), HasSubstr("/nowhere/journal"));
}

TEST_F(JournalTest, NobodyElseReadsIt) {
  Open();
  EXPECT_EQ(std::filesystem::status(path_).permissions() & std::filesystem::perms::others_read,
            std::filesystem::perms::none);
}

}  // namespace
}  // namespace kvbroker
