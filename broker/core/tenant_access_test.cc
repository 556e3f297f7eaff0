#include "broker/core/tenant_access.h"

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

ProcessIdentity Process(uint32_t uid, uint32_t gid) { return {.pid = 7, .start_time = 1, .uid = uid, .gid = gid}; }

TEST(TenantAccessTest, WhereNobodyIsNamedEverybodyMay) { EXPECT_TRUE(AccessRules().Check("a", Process(1, 1)).ok()); }

TEST(TenantAccessTest, OneOfTheUsersOrOneOfTheGroupsIsEnough) {
  const AccessRules rules = {.tenants = {{"a", {.uids = {10, 11}, .gids = {20}}}, {"b", {}}}};
  EXPECT_TRUE(rules.Check("a", Process(11, 1)).ok());
  EXPECT_TRUE(rules.Check("a", Process(1, 20)).ok());
  const absl::Status refused = rules.Check("a", Process(20, 10));
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(refused.message(), "process 7 of uid 20, gid 10 may not be tenant 'a'; it is for uid 10, 11, or gid 20");
  EXPECT_TRUE(rules.Check("b", Process(20, 10)).ok());
  EXPECT_TRUE(rules.Check("c", Process(20, 10)).ok());
}

TEST(TenantAccessTest, TenantsThatAreNotListedHaveARuleOfTheirOwn) {
  const AccessRules rules = {.tenants = {{"a", {}}}, .others = {.gids = {20}}};
  EXPECT_TRUE(rules.Check("a", Process(1, 1)).ok());
  EXPECT_FALSE(rules.Check("c", Process(20, 1)).ok());
  EXPECT_TRUE(rules.Check("c", Process(1, 20)).ok());
}

}  // namespace
}  // namespace kvbroker
