#include "broker/core/tenant_access.h"

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

Applicant Process(uint32_t uid, uint32_t gid, const std::string& cgroup = "") {
  return {.process = {.pid = 7, .start_time = 1, .uid = uid, .gid = gid}, .cgroup = cgroup};
}
Applicant Through(const std::string& door, uint32_t uid = 1) {
  return {.process = {.pid = 7, .start_time = 1, .uid = uid, .gid = 1}, .door = door};
}

TEST(TenantAccessTest, WhereNobodyIsNamedEverybodyMay) { EXPECT_TRUE(AccessRules().Check("a", Process(1, 1)).ok()); }

TEST(TenantAccessTest, OneOfTheUsersOrOneOfTheGroupsIsEnough) {
  const AccessRules rules = {.tenants = {{"a", {.uids = {10, 11}, .gids = {20}}}, {"b", {}}}};
  EXPECT_TRUE(rules.Check("a", Process(11, 1)).ok());
  EXPECT_TRUE(rules.Check("a", Process(1, 20)).ok());
  const absl::Status refused = rules.Check("a", Process(20, 10));
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(refused.message(),
            "process 7 of uid 20, gid 10, cgroup unknown may not be tenant 'a'; it is for uid 10, 11, or gid 20");
  EXPECT_TRUE(rules.Check("b", Process(20, 10)).ok());
  EXPECT_TRUE(rules.Check("c", Process(20, 10)).ok());
}

TEST(TenantAccessTest, TenantsThatAreNotListedHaveARuleOfTheirOwn) {
  const AccessRules rules = {.tenants = {{"a", {}}}, .others = {.gids = {20}}};
  EXPECT_TRUE(rules.Check("a", Process(1, 1)).ok());
  EXPECT_FALSE(rules.Check("c", Process(20, 1)).ok());
  EXPECT_TRUE(rules.Check("c", Process(1, 20)).ok());
}

TEST(TenantAccessTest, ACgroupAdmitsAllBelowIt) {
  const AccessRules rules = {.tenants = {{"a", {.uids = {10}, .cgroups = {"/pods/x"}}}, {"all", {.cgroups = {"/"}}}}};
  EXPECT_TRUE(rules.Check("a", Process(1, 1, "/pods/x")).ok());
  EXPECT_TRUE(rules.Check("a", Process(1, 1, "/pods/x/container")).ok());
  EXPECT_TRUE(rules.Check("a", Process(10, 1, "/elsewhere")).ok());
  EXPECT_FALSE(rules.Check("a", Process(1, 1, "/pods/xy")).ok());
  EXPECT_FALSE(rules.Check("a", Process(1, 1, "/pods")).ok());
  EXPECT_FALSE(rules.Check("a", Process(1, 1)).ok()) << "a cgroup that nobody knows is in no other";
  EXPECT_TRUE(rules.Check("all", Process(1, 1, "/pods")).ok());
  EXPECT_FALSE(rules.Check("all", Process(1, 1)).ok());
}

TEST(TenantAccessTest, ASocketOfItsOwnIsTheOnlyWayInAndLeadsNowhereElse) {
  const AccessRules rules = {
      .tenants = {{"a", {.own_socket = true}}, {"b", {.uids = {10}, .own_socket = true}}, {"c", {}}}};
  EXPECT_TRUE(rules.Check("a", Through("a")).ok());
  EXPECT_FALSE(rules.Check("a", Through("")).ok());
  EXPECT_FALSE(rules.Check("a", Through("b")).ok());
  EXPECT_FALSE(rules.Check("c", Through("a")).ok());
  EXPECT_TRUE(rules.Check("c", Through("")).ok());
  EXPECT_FALSE(rules.Check("b", Through("b")).ok()) << "who may besides has to be one of those";
  EXPECT_TRUE(rules.Check("b", Through("b", 10)).ok());
}

}  // namespace
}  // namespace kvbroker
