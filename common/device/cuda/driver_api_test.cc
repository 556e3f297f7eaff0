#include "common/device/cuda/driver_api.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

TEST(DriverApiTest, NamesAMissingLibrary) {
  const absl::Status status = internal::LoadDriverApi("/nowhere/libcuda.so.1").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nowhere/libcuda.so.1"));
}

TEST(DriverApiTest, NamesTheCallThatALibraryLacks) {
  const absl::Status status = internal::LoadDriverApi("libm.so.6").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("libm.so.6 has no cuInit"));
}

TEST(DriverApiTest, AnswersAlike) {
  const auto first = DriverApi::Load();
  const auto second = DriverApi::Load();
  EXPECT_EQ(first.status(), second.status());
  EXPECT_EQ(first.ok() ? *first : nullptr, second.ok() ? *second : nullptr);
}

}  // namespace
}  // namespace kvbroker
