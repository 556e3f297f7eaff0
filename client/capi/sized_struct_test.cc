#include "client/capi/sized_struct.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

namespace kvbroker {
namespace {

// One struct as three releases have it; Ours is in the middle.
struct Older {
  uint32_t size;
  uint32_t a;
};
struct Ours {
  uint32_t size;
  uint32_t a;
  uint64_t b;
};
struct Newer {
  uint32_t size;
  uint32_t a;
  uint64_t b;
  uint64_t c;
};

// The address of another release's struct, as the library gets it.
template <typename T>
Ours* AsOurs(T& theirs) {
  return reinterpret_cast<Ours*>(&theirs);
}

TEST(ReadStructTest, AnOlderStructHasZeroInWhatItLacks) {
  Older theirs[2] = {{.size = sizeof(Older), .a = 7}, {.size = 1, .a = 1}};
  const absl::StatusOr<Ours> ours = ReadStruct(AsOurs(theirs), sizeof(Older), "x");
  ASSERT_TRUE(ours.ok()) << ours.status();
  EXPECT_EQ(ours->a, 7u);
  EXPECT_EQ(ours->b, 0u);
}

TEST(ReadStructTest, ANewerStructIsReadWhereItsTailIsZero) {
  Newer theirs = {.size = sizeof(Newer), .a = 7, .b = 8, .c = 0};
  const absl::StatusOr<Ours> ours = ReadStruct(AsOurs(theirs), sizeof(Older), "x");
  ASSERT_TRUE(ours.ok()) << ours.status();
  EXPECT_EQ(ours->b, 8u);
}

TEST(ReadStructTest, ANewerStructIsRefusedWhereItsTailIsSet) {
  Newer theirs = {.size = sizeof(Newer), .a = 7, .b = 8, .c = uint64_t{1} << 63};
  EXPECT_EQ(ReadStruct(AsOurs(theirs), sizeof(Older), "x").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ReadStructTest, SizesThatNoVersionHasAreRefused) {
  for (const uint32_t size : {0u, 4u, kLargestStruct + 1, UINT32_MAX}) {
    const Ours theirs = {.size = size};
    EXPECT_EQ(ReadStruct(&theirs, sizeof(Older), "x").status().code(), absl::StatusCode::kInvalidArgument) << size;
  }
}

TEST(ReadStructTest, NullIsRefused) {
  EXPECT_EQ(ReadStruct<Ours>(nullptr, sizeof(Older), "x").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(WriteStructTest, WritesNoMoreThanAnOlderStructHas) {
  Older theirs[2] = {{.size = sizeof(Older)}, {.size = 55, .a = 66}};
  ASSERT_TRUE(WriteStruct(Ours{.a = 7, .b = 8}, AsOurs(theirs), sizeof(Older), "x").ok());
  EXPECT_EQ(theirs[0].size, sizeof(Older));
  EXPECT_EQ(theirs[0].a, 7u);
  EXPECT_EQ(theirs[1].size, 55u);
  EXPECT_EQ(theirs[1].a, 66u);
}

TEST(WriteStructTest, ZeroesWhatOnlyANewerStructHas) {
  Newer theirs;
  std::memset(&theirs, 0xff, sizeof(theirs));
  theirs.size = sizeof(Newer);
  ASSERT_TRUE(WriteStruct(Ours{.a = 7, .b = 8}, AsOurs(theirs), sizeof(Older), "x").ok());
  EXPECT_EQ(theirs.size, sizeof(Newer));
  EXPECT_EQ(theirs.b, 8u);
  EXPECT_EQ(theirs.c, 0u);
}

TEST(WriteStructTest, AStructWithoutASizeIsLeftAlone) {
  Ours theirs = {.size = 0, .a = 5};
  EXPECT_EQ(WriteStruct(Ours{.a = 7}, &theirs, sizeof(Older), "x").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(theirs.a, 5u);
}

}  // namespace
}  // namespace kvbroker
