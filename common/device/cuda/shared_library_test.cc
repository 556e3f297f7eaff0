#include "common/device/cuda/shared_library.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

TEST(SharedLibraryTest, FindsAnEntryPoint) {
  const auto library = *SharedLibrary::Open("libm.so.6");
  double (*cosine)(double) = nullptr;
  ASSERT_TRUE(library.Resolve("cos", cosine).ok());
  EXPECT_EQ(cosine(0.0), 1.0);
}

TEST(SharedLibraryTest, NamesALibraryThatIsNotThere) {
  const absl::Status status = SharedLibrary::Open("/nowhere/libcuda.so.1").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nowhere/libcuda.so.1: cannot open"));
}

TEST(SharedLibraryTest, RefusesAFileThatIsNoLibrary) {
  EXPECT_EQ(SharedLibrary::Open("/proc/self/status").status().code(), absl::StatusCode::kNotFound);
}

TEST(SharedLibraryTest, NamesAnEntryPointThatIsNotThere) {
  const auto library = *SharedLibrary::Open("libm.so.6");
  int (*missing)() = nullptr;
  const absl::Status status = library.Resolve("cuInit", missing);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("libm.so.6 has no cuInit"));
  EXPECT_EQ(missing, nullptr);
}

}  // namespace
}  // namespace kvbroker
