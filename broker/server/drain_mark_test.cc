#include "broker/server/drain_mark.h"

#include <stdlib.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

class DrainMarkTest : public ::testing::Test {
 protected:
  DrainMarkTest() {
    char name[] = "/tmp/kvbXXXXXX";
    dir_ = mkdtemp(name);
  }
  ~DrainMarkTest() override { std::filesystem::remove_all(dir_); }

  std::string dir_;
};

TEST_F(DrainMarkTest, StandsUntilItIsCleared) {
  const DrainMark mark(dir_ + "/drained");
  EXPECT_FALSE(mark.stands());
  EXPECT_EQ(mark.Clear(), absl::OkStatus()) << "there is nothing to clear";
  EXPECT_EQ(mark.Set(), absl::OkStatus());
  EXPECT_EQ(mark.Set(), absl::OkStatus());
  EXPECT_TRUE(DrainMark(dir_ + "/drained").stands());
  EXPECT_EQ(mark.Clear(), absl::OkStatus());
  EXPECT_FALSE(mark.stands());
}

TEST_F(DrainMarkTest, WhereItCannotBeKeptThePathIsNamed) {
  const absl::Status failed = DrainMark(dir_ + "/none/drained").Set();
  EXPECT_EQ(failed.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(failed.message()), ::testing::HasSubstr(dir_ + "/none/drained"));
}

}  // namespace
}  // namespace kvbroker
