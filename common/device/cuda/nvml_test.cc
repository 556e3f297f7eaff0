#include "common/device/cuda/nvml.h"

#include "common/device/cuda/shared_library.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

constexpr char kFake[] = "common/device/cuda/libfake_nvml.so";
constexpr char kUuid[] = "GPU-8f14e45f-ceea-467d-9ab3-0123456789ab";

TEST(NvmlTest, ShowsTheMemoryOfTheDevice) {
  const auto nvml = Nvml::OpenForTesting(kFake, kUuid);
  ASSERT_TRUE(nvml.ok()) << nvml.status();
  const auto memory = (*nvml)->GetMemory();
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(memory->total, GiB(80));
  EXPECT_EQ(memory->free, GiB(49));
  EXPECT_EQ(memory->used, GiB(30));
}

TEST(NvmlTest, ShowsWhatAProcessUsesHoweverManyThereAre) {
  const auto nvml = *Nvml::OpenForTesting(kFake, kUuid);
  EXPECT_EQ(nvml->UsedBy(4242), GiB(3));
}

TEST(NvmlTest, ShowsNothingForAProcessTheDriverDoesNotTellOf) {
  const auto nvml = *Nvml::OpenForTesting(kFake, kUuid);
  EXPECT_EQ(nvml->UsedBy(100), Bytes()) << "listed, use not available";
  EXPECT_EQ(nvml->UsedBy(7), Bytes()) << "not listed";
}

TEST(NvmlTest, TellsOfErrorsThatAResetAloneMends) {
  const auto nvml = *Nvml::OpenForTesting(kFake, kUuid);
  void (*add)(unsigned long long) = nullptr;
  ASSERT_TRUE(SharedLibrary::Open(kFake)->Resolve("FakeNvmlAddXid", add).ok());
  EXPECT_EQ(nvml->FatalXid(), std::nullopt);
  add(31);  // a program touched what it may not
  EXPECT_EQ(nvml->FatalXid(), std::nullopt);
  add(79);
  add(13);
  EXPECT_EQ(nvml->FatalXid(), 79u);
  EXPECT_EQ(nvml->FatalXid(), 79u) << "it stays lost";
}

TEST(NvmlTest, ALostGpuIsNoneThatMerelyDoesNotAnswer) {
  const auto nvml = *Nvml::OpenForTesting(kFake, kUuid);
  void (*answer)(int) = nullptr;
  ASSERT_TRUE(SharedLibrary::Open(kFake)->Resolve("FakeNvmlAnswer", answer).ok());
  constexpr int kUnknown = 999, kGpuIsLost = 15, kResetRequired = 16;
  for (const auto& [result, code] : {std::pair(kUnknown, absl::StatusCode::kInternal),
                                     {kGpuIsLost, absl::StatusCode::kDataLoss},
                                     {kResetRequired, absl::StatusCode::kDataLoss}}) {
    answer(result);
    EXPECT_EQ(nvml->GetMemory().status().code(), code);
  }
  answer(0);
  EXPECT_TRUE(nvml->GetMemory().ok());
}

TEST(NvmlTest, UnknownGpuIsNamedAndLeavesNothingInitialised) {
  const absl::Status status = Nvml::OpenForTesting(kFake, "GPU-0").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("GPU-0"));
  int (*users)() = nullptr;
  ASSERT_TRUE(SharedLibrary::Open(kFake)->Resolve("FakeNvmlUsers", users).ok());
  EXPECT_EQ(users(), 0);
}

TEST(NvmlTest, NamesAMissingOrForeignLibrary) {
  EXPECT_EQ(Nvml::OpenForTesting("/nowhere/libnvidia-ml.so.1", kUuid).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Nvml::OpenForTesting("libm.so.6", kUuid).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace kvbroker
