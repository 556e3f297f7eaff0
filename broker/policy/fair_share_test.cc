#include "broker/policy/fair_share.h"

#include <string>
#include <vector>

#include "broker/policy/saturating.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

struct Situation {
  std::string name;
  Bytes total = Bytes(24'000);
  std::vector<Claim> claims;
  std::vector<uint64_t> entitled;
};

constexpr TenantClass kBatch = TenantClass::kBatch;

class EntitleTableTest : public ::testing::TestWithParam<Situation> {};

TEST_P(EntitleTableTest, Entitles) {
  const Situation& s = GetParam();
  std::vector<uint64_t> entitled;
  for (const Bytes bytes : Entitle(s.total, s.claims)) entitled.push_back(bytes.in_bytes());
  EXPECT_THAT(entitled, ElementsAreArray(s.entitled));
}

INSTANTIATE_TEST_SUITE_P(
    Situations, EntitleTableTest,
    ::testing::ValuesIn(std::vector<Situation>{
        {.name = "Nobody"},
        {.name = "EnoughForAll",
         .claims = {{.active = Bytes(10'000)}, {.active = Bytes(14'000)}},
         .entitled = {10'000, 14'000}},
        {.name = "EqualsShareEqually",
         .claims = {{.active = Bytes(20'000)}, {.active = Bytes(20'000)}},
         .entitled = {12'000, 12'000}},
        {.name = "WhatOneDoesNotWantIsTheOthers",
         .claims = {{.active = Bytes(4'000)}, {.active = Bytes(20'000)}, {.active = Bytes(20'000)}},
         .entitled = {4'000, 10'000, 10'000}},
        {.name = "WeightsAreRatios",
         .claims = {{.weight = 100, .active = Bytes(40'000)}, {.weight = 300, .active = Bytes(40'000)}},
         .entitled = {6'000, 18'000}},
        {.name = "AGuaranteeIsPartOfTheShareNotOnTopOfIt",
         .claims = {{.assured = Bytes(8'000), .active = Bytes(40'000)}, {.active = Bytes(40'000)}},
         .entitled = {12'000, 12'000}},
        {.name = "AGuaranteeBeyondTheShareIsKept",
         .claims = {{.assured = Bytes(16'000), .active = Bytes(40'000)}, {.active = Bytes(40'000)}},
         .entitled = {16'000, 8'000}},
        {.name = "AGuaranteeThatIsNotWantedIsLent",
         .claims = {{.assured = Bytes(16'000), .active = Bytes(1'000)}, {.active = Bytes(40'000)}},
         .entitled = {1'000, 23'000}},
        {.name = "PinnedBytesAreNobodyElsesShare",
         .claims = {{.pinned = Bytes(16'000), .active = Bytes(40'000)}, {.active = Bytes(40'000)}},
         .entitled = {16'000, 8'000}},
        {.name = "PinnedBytesOfALowerClassComeBeforeShares",
         .claims = {{.tenant_class = kBatch, .pinned = Bytes(10'000), .active = Bytes(40'000)},
                    {.active = Bytes(40'000)}},
         .entitled = {10'000, 14'000}},
        {.name = "PinnedBytesComeAfterWhatIsAssured",
         .claims = {{.assured = Bytes(16'000), .active = Bytes(16'000)},
                    {.pinned = Bytes(16'000), .active = Bytes(16'000)}},
         .entitled = {16'000, 8'000}},
        {.name = "PinnedBytesThatAreTooManyAreInProportion",
         .claims = {{.pinned = Bytes(16'000), .active = Bytes(16'000)},
                    {.pinned = Bytes(32'000), .active = Bytes(32'000)}},
         .entitled = {8'000, 16'000}},
        {.name = "PinnedBytesComeBeforeATurn",
         .claims = {{.pinned = Bytes(14'000), .active = Bytes(20'000)},
                    {.need = Bytes(16'000), .active = Bytes(20'000)}},
         .entitled = {14'000, 10'000}},
        {.name = "TheHigherClassComesFirst",
         .claims = {{.tenant_class = kBatch, .active = Bytes(40'000)}, {.active = Bytes(20'000)}},
         .entitled = {4'000, 20'000}},
        {.name = "WhatALowerClassIsAssuredComesBeforeSharesOfAHigher",
         .claims = {{.tenant_class = kBatch, .assured = Bytes(6'000), .active = Bytes(40'000)},
                    {.active = Bytes(40'000)}},
         .entitled = {6'000, 18'000}},
        {.name = "WhoWaitedLongIsRaisedWithWhatItNeedsAlone",
         .claims = {{.tenant_class = kBatch, .raised = Bytes(5'000), .active = Bytes(40'000)},
                    {.active = Bytes(40'000)}},
         .entitled = {5'000, 19'000}},
        {.name = "WhoWaitedLongIsRaisedToAShareAndNoMore",
         .claims = {{.tenant_class = kBatch, .raised = Bytes(40'000), .active = Bytes(40'000)},
                    {.active = Bytes(40'000)}},
         .entitled = {12'000, 12'000}},
        {.name = "WhatOneNeedsInItsTurnComesBeforeShares",
         .claims = {{.need = Bytes(16'000), .active = Bytes(20'000)}, {.active = Bytes(20'000)}},
         .entitled = {16'000, 8'000}},
        {.name = "ATurnLeavesOthersWhatIsAssuredToThem",
         .claims = {{.need = Bytes(20'000), .active = Bytes(20'000)},
                    {.assured = Bytes(10'000), .active = Bytes(20'000)}},
         .entitled = {14'000, 10'000}},
        {.name = "IdleBytesCostFourfold",
         .total = Bytes(15'000),
         .claims = {{.active = Bytes(2'000), .idle = Bytes(20'000)}, {.active = Bytes(40'000)}},
         .entitled = {4'200, 10'800}},  // level 10,800: 2,000 + 8,800 / 4
        {.name = "WhoIsAloneKeepsItsIdleBytes", .claims = {{.idle = Bytes(20'000)}}, .entitled = {20'000}},
        {.name = "ReservesComeBeforeGuarantees",
         .claims =
             {{.assured = Bytes(20'000), .active = Bytes(20'000)},
              {.tenant_class = kBatch, .reserved = Bytes(18'000), .assured = Bytes(18'000), .active = Bytes(18'000)}},
         .entitled = {6'000, 18'000}},
        {.name = "WhereGuaranteesAreTooMuchTheHigherClassComesFirst",
         .claims = {{.tenant_class = kBatch, .assured = Bytes(20'000), .active = Bytes(20'000)},
                    {.assured = Bytes(14'000), .active = Bytes(20'000)}},
         .entitled = {10'000, 14'000}},
        {.name = "WhereGuaranteesAreTooMuchEverybodyHasTheSameFraction",
         .claims = {{.assured = Bytes(12'000), .active = Bytes(20'000)},
                    {.assured = Bytes(36'000), .active = Bytes(40'000)}},
         .entitled = {6'000, 18'000}},
        {.name = "NothingToShare", .total = Bytes(), .claims = {{.active = Bytes(1)}}, .entitled = {0}},
    }),
    [](const auto& info) { return info.param.name; });

TEST(EntitleTest, AnyNumbersAtAllAddUp) {
  const Claim all = {.weight = 0,
                     .reserved = kMostBytes,
                     .assured = kMostBytes,
                     .need = kMostBytes,
                     .raised = kMostBytes,
                     .active = kMostBytes,
                     .idle = kMostBytes};
  Claim heavy = all;
  heavy.weight = 4'000'000'000;
  const std::vector<Bytes> entitled = Entitle(kMostBytes, {all, heavy, {.active = kMostBytes}});
  EXPECT_THAT(entitled, ElementsAre(Bytes(kMostBytes.in_bytes() / 2), Bytes(kMostBytes.in_bytes() / 2), Bytes()));
}

TEST(EntitleTest, HugeClaimsAreSharedLikeSmallOnes) {
  const std::vector<Bytes> entitled =
      Entitle(kMostBytes, {{.active = kMostBytes}, {.weight = 1, .active = kMostBytes}});
  EXPECT_EQ(entitled[1], Bytes(kMostBytes.in_bytes() / 101));
}

}  // namespace
}  // namespace kvbroker
