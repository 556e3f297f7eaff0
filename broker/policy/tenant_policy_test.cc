#include "broker/policy/tenant_policy.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

TEST(TenantPolicyTest, TheDefaultIsGood) { EXPECT_TRUE(CheckTenantPolicy({}).ok()); }

TEST(TenantPolicyTest, NamesWhatDoesNotGoTogether) {
  const auto error = [](const TenantPolicy& policy) { return std::string(CheckTenantPolicy(policy).message()); };
  EXPECT_THAT(error({.guarantee = GiB(3), .limit = GiB(2)}), HasSubstr("a guarantee of 3 GiB is more than the limit"));
  EXPECT_THAT(error({.reserved = GiB(3), .limit = GiB(2)}), HasSubstr("reserved 3 GiB is more than the limit, 2 GiB"));
  EXPECT_THAT(error({.weight = 0}), HasSubstr("a weight of 0"));
  EXPECT_THAT(error({.weight = 10'001}), HasSubstr("a weight of 10001"));
  EXPECT_THAT(error({.guarantee_deadline = absl::Milliseconds(9)}), HasSubstr("9ms"));
}

TEST(TenantPolicyTest, AssuredIsTheLargerOfTheTwo) {
  EXPECT_EQ((TenantPolicy{.reserved = GiB(1), .guarantee = GiB(2)}.assured()), GiB(2));
  EXPECT_EQ((TenantPolicy{.reserved = GiB(3)}.assured()), GiB(3));
}

TEST(TenantClassTest, IsWrittenAndRead) {
  for (const TenantClass one : {TenantClass::kBestEffort, TenantClass::kBatch, TenantClass::kInteractive}) {
    EXPECT_EQ(ParseTenantClass(ToString(one)), one);
  }
  EXPECT_EQ(ParseTenantClass("vip"), std::nullopt);
}

}  // namespace
}  // namespace kvbroker
