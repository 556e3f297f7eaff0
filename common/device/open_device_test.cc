#include "common/device/open_device.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using internal::DeviceSpec;
using internal::ParseDeviceSpec;
using ::testing::HasSubstr;

constexpr char kUuid[] = "GPU-8f14e45f-ceea-467d-9ab3-0123456789ab";

TEST(ParseDeviceSpecTest, ReadsEachForm) {
  EXPECT_EQ(ParseDeviceSpec("")->kind, DeviceSpec::Kind::kAuto);
  EXPECT_EQ(ParseDeviceSpec("auto")->kind, DeviceSpec::Kind::kAuto);
  EXPECT_EQ(ParseDeviceSpec("cuda:3")->kind, DeviceSpec::Kind::kCuda);
  EXPECT_EQ(ParseDeviceSpec("cuda:3")->ordinal, 3);
  EXPECT_EQ(ParseDeviceSpec(std::string("cuda:") + kUuid)->kind, DeviceSpec::Kind::kCuda);
  EXPECT_EQ(ParseDeviceSpec(std::string("cuda:") + kUuid)->uuid, kUuid);
  EXPECT_EQ(ParseDeviceSpec("3")->ordinal, 3);
  EXPECT_EQ(ParseDeviceSpec(kUuid)->uuid, kUuid);
  EXPECT_EQ(ParseDeviceSpec("host")->kind, DeviceSpec::Kind::kHost);
  EXPECT_EQ(ParseDeviceSpec("host")->name, "host");
  EXPECT_EQ(ParseDeviceSpec("host:a")->name, "a");
}

TEST(ParseDeviceSpecTest, RefusesAnythingElseAndSaysWhatIsAccepted) {
  for (const char* text :
       {"cuda", "cuda:", "cuda:-1", "cuda:x", "cuda:GPU-1", "host:", "gpu0", "-1", "GPU-1", "Host"}) {
    const absl::Status status = ParseDeviceSpec(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string("'") + text + "'"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("cuda:GPU-<uuid>, host, host:<name> or auto"));
  }
}

TEST(OpenDeviceTest, OpensHostMemoryOfTheGivenNameAndSize) {
  const auto device = OpenDevice("host:a", {.host_memory = MiB(64)});
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ((*device)->info().kind, "host");
  EXPECT_EQ((*device)->info().uuid, "HOST-a");
  EXPECT_EQ((*device)->Memory()->total, MiB(64));
}

TEST(OpenDeviceTest, RefusesANameThatCannotBe) {
  EXPECT_EQ(OpenDevice("host:a/b", {}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(OpenDeviceTest, AutoAlwaysFindsSomething) { EXPECT_TRUE(OpenDevice("auto", {.role = DeviceRole::kOwner}).ok()); }

TEST(OpenDeviceTest, OpensWhatADeviceTellsOfItself) {
  const auto device = OpenDeviceByUuid("HOST-a", "host");
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ((*device)->info().uuid, "HOST-a");
}

TEST(OpenDeviceTest, RefusesAUuidThatIsNotOfItsKind) {
  const struct {
    const char* uuid;
    const char* kind;
  } cases[] = {{"HOST-", "host"}, {"HOST-a", "cuda"}, {kUuid, "host"}, {"GPU-1", "cuda"}, {"0", "cuda"}, {kUuid, ""}};
  for (const auto& [uuid, kind] : cases) {
    EXPECT_EQ(OpenDeviceByUuid(uuid, kind).status().code(), absl::StatusCode::kInvalidArgument) << uuid << " " << kind;
  }
}

}  // namespace
}  // namespace kvbroker
