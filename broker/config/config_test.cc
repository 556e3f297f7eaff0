#include "broker/config/config.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

TEST(ConfigTest, ReadsWhatItSays) {
  const absl::StatusOr<BrokerConfig> config = ParseConfig(
      R"(device: "host" capacity: "1GiB"
         tenant { name: "a" limit: "25%" }
         tenant { name: "b" limit: "100MiB" }
         tenant { name: "c" })",
      "x.textproto");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->device, "host");
  EXPECT_EQ(config->capacity, GiB(1));
  const auto policies = *config->TenantPolicies(GiB(1));
  EXPECT_EQ(policies.at("a").limit, MiB(256));
  EXPECT_EQ(policies.at("b").limit, MiB(100));
  EXPECT_EQ(policies.at("c").limit, std::nullopt);
  EXPECT_EQ(config->OtherTenants(GiB(1)), std::nullopt) << "those not listed are refused";
}

TEST(ConfigTest, ReadsAWholePolicy) {
  const auto config = ParseConfig(R"(tenant { name: "a" limit: "50%" reserved: "1MiB" guarantee: "25%"
                                              guarantee_deadline: "250ms" weight: 7 tenant_class: "batch"
                                              missed_target: "end_process" })",
                                  "x");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->TenantPolicies(MiB(100))->at("a"), (TenantPolicy{.reserved = MiB(1),
                                                                     .guarantee = MiB(25),
                                                                     .guarantee_deadline = absl::Milliseconds(250),
                                                                     .limit = MiB(50),
                                                                     .weight = 7,
                                                                     .tenant_class = TenantClass::kBatch,
                                                                     .missed_target = MissedTarget::kEndProcess}));
}

TEST(ConfigTest, ReadsWhoMayBeWhom) {
  const auto config = ParseConfig(R"(tenant { name: "a" allow_uid: 10 allow_uid: 11 allow_gid: 20 } tenant { name: "b" }
                                     default_tenant { allow_gid: 30 })",
                                  "x");
  ASSERT_TRUE(config.ok()) << config.status();
  const AccessRules rules = config->Access();
  EXPECT_EQ(rules.tenants.at("a"), (TenantAccess{.uids = {10, 11}, .gids = {20}}));
  EXPECT_TRUE(rules.tenants.at("b").open());
  EXPECT_EQ(rules.others, (TenantAccess{.gids = {30}}));

  BrokerConfig flags;
  flags.tenants["a"].limit = LimitSetting();
  flags.FillFrom(*config);
  EXPECT_EQ(flags.Access().tenants.at("a"), rules.tenants.at("a")) << "a flag for its limit opens it to nobody";
}

TEST(ConfigTest, WhatIsRequiredOfTheDeviceIsOffUnlessWritten) {
  EXPECT_EQ(ParseConfig("", "x")->require_zero, std::nullopt);
  EXPECT_EQ(ParseConfig("require_zero: true", "x")->require_zero, true);
}

TEST(ConfigTest, ReadsCgroupsAndSocketsOfTheirOwn) {
  const auto config = ParseConfig(R"(tenant { name: "a" allow_cgroup: "/pods/x" own_socket: true })", "x");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->Access().tenants.at("a"), (TenantAccess{.cgroups = {"/pods/x"}, .own_socket = true}));
  for (const auto& [text, error] :
       {std::pair(R"(tenant { name: "a" allow_cgroup: "pods" })",
                  "x:1: allow_cgroup of tenant 'a': 'pods' is no path of a cgroup: it begins with '/'"),
        std::pair(R"(tenant { name: ".." own_socket: true })",
                  "x:1: own_socket of tenant '..': a name that begins with '.' cannot be a folder's"),
        std::pair("default_tenant { own_socket: true }",
                  "x:1: own_socket of default_tenant: a tenant that is not listed has none: list it")}) {
    EXPECT_EQ(ParseConfig(text, "x").status().message(), error);
  }
}

TEST(ConfigTest, WhatIsNotWrittenHasTheDefault) {
  const auto config = ParseConfig(R"(tenant { name: "a" guarantee: "none" })", "x");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->TenantPolicies(GiB(1))->at("a"), TenantPolicy());
}

TEST(ConfigTest, MoreAssuredThanTheLimitNamesTheTenant) {
  const auto config = ParseConfig(R"(tenant { name: "a" } tenant { name: "b" limit: "10%" guarantee: "20MiB" })", "x");
  const absl::Status status = config->TenantPolicies(MiB(100)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "tenant 'b': a guarantee of 20 MiB is more than the limit, 10 MiB");
}

TEST(ConfigTest, WhatAllAreAssuredMustFitTheCapacity) {
  // A guarantee holds what is reserved: a is assured 60 MiB.
  const auto config = ParseConfig(
      R"(tenant { name: "a" reserved: "10MiB" guarantee: "60MiB" } tenant { name: "b" reserved: "40MiB" })", "x");
  EXPECT_TRUE(config->TenantPolicies(MiB(100)).ok());
  const absl::Status status = config->TenantPolicies(MiB(99)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("100 MiB in all, more than the capacity, 99 MiB"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("a 60 MiB, b 40 MiB"));
}

TEST(ConfigTest, MoreAssuredThanThereCanBeIsAnErrorAndNoOverflow) {
  std::string text;
  for (const char* name : {"a", "b", "c", "d"}) {
    text += std::string("tenant { name: '") + name + "' reserved: '4194304TiB' }";
  }
  const auto config = ParseConfig(text, "x");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->TenantPolicies(GiB(1)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ConfigTest, AdmitsEverybodyWhereNobodyIsListed) { EXPECT_TRUE(BrokerConfig().OtherTenants(GiB(1)).has_value()); }

TEST(ConfigTest, AdmitsOthersByTheDefaultTenantsPolicy) {
  const auto config = ParseConfig(R"(tenant { name: "a" } default_tenant { limit: "10%" })", "x");
  EXPECT_EQ(config->OtherTenants(MiB(100))->limit, MiB(10));
}

TEST(ConfigTest, FlagsWinOverTheFile) {
  BrokerConfig flags = {.capacity = GiB(2)};
  flags.FillFrom({.device = "host", .capacity = GiB(1)});
  EXPECT_EQ(flags.capacity, GiB(2));
  EXPECT_EQ(flags.device, "host");
}

TEST(ConfigTest, AFlagOfATenantKeepsWhatElseTheFileSaysOfIt) {
  BrokerConfig flags;
  flags.tenants["a"].limit = *ParseLimit("none");
  flags.tenants["b"].limit = *ParseLimit("1GiB");
  flags.FillFrom(*ParseConfig(R"(tenant { name: "a" limit: "1GiB" guarantee: "5MiB" } tenant { name: "c" })", "x"));
  const auto policies = *flags.TenantPolicies(GiB(1));
  EXPECT_EQ(policies.size(), 3u);
  EXPECT_EQ(policies.at("a").limit, std::nullopt);
  EXPECT_EQ(policies.at("a").guarantee, MiB(5));
  EXPECT_EQ(policies.at("b").limit, GiB(1));
}

struct Broken {
  std::string text;
  std::vector<std::string> named;  // in the error
};

class BrokenConfigTest : public ::testing::TestWithParam<Broken> {};

TEST_P(BrokenConfigTest, IsRefusedAndNamed) {
  const absl::Status status = ParseConfig(GetParam().text, "broker.textproto").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("broker.textproto"));
  for (const std::string& named : GetParam().named) EXPECT_THAT(std::string(status.message()), HasSubstr(named));
}

INSTANTIATE_TEST_SUITE_P(Table, BrokenConfigTest,
                         ::testing::ValuesIn(std::vector<Broken>{
                             {"capacity: \"1GiB\"\ncapactiy: \"2GiB\"", {"2:", "capactiy"}},
                             {"tenant {", {"1:"}},
                             {"capacity: \"40GB!\"", {"capacity", "'40GB!'"}},
                             {"headroom: \"-1GiB\"", {"headroom", "'-1GiB'"}},
                             {"tenant { name: \"a\" limit: \"120%\" }", {"tenant 'a'", "'120%'"}},
                             {"tenant { name: \"a\" limit: \"-5GiB\" }", {"tenant 'a'", "'-5GiB'"}},
                             {"tenant { limit: \"1GiB\" }", {"tenant", "''"}},
                             {"tenant { name: \"a/b\" }", {"'a/b'"}},
                             {"tenant { name: \"a\" } tenant { name: \"a\" }", {"'a'", "twice"}},
                             {"default_tenant { name: \"x\" }", {"default_tenant", "'x'"}},
                             {"default_tenant { guarantee: \"1GiB\" }", {"guarantee of default_tenant", "'1GiB'"}},
                             {"default_tenant {\n weight: 0 }", {":2: weight of default_tenant", "0"}},
                             {"tenant {\n name: \"a\"\n limit: \"40GB!\" }", {":3: limit of tenant 'a'", "'40GB!'"}},
                             {"tenant { name: \"a\" reserved: \"40GB!\" }", {"tenant 'a'", "'40GB!' is no amount"}},
                             {"tenant { name: \"a\" guarantee: \"-1%\" }", {"guarantee", "tenant 'a'", "'-1%'"}},
                             {"tenant { name: \"a\" weight: 0 }", {"weight of tenant 'a'", "a weight of 0"}},
                             {"tenant { name: \"a\" weight: 10001 }", {"tenant 'a'", "10001"}},
                             {"tenant { name: \"a\" weight: -1 }", {"1:"}},
                             {"tenant { name: \"a\" tenant_class: \"vip\" }", {"tenant 'a'", "'vip'", "best_effort"}},
                             {"tenant { name: \"a\" missed_target: \"pray\" }", {"tenant 'a'", "'pray'"}},
                             {"tenant { name: \"a\" guarantee_deadline: \"soon\" }", {"tenant 'a'", "'soon'"}},
                             {"tenant { name: \"a\" guarantee_deadline: \"2h\" }", {"tenant 'a'", "2h"}},
                             {"tenant { name: \"a\" guarantee_deadline: \"-1s\" }", {"tenant 'a'", "-1s"}},
                         }));

TEST(ConfigTest, AMissingFileIsNotFound) {
  EXPECT_EQ(ReadConfig("/nonexistent/broker.textproto").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace kvbroker
