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
  const auto policies = config->TenantPolicies(GiB(1));
  EXPECT_EQ(policies.at("a").limit, MiB(256));
  EXPECT_EQ(policies.at("b").limit, MiB(100));
  EXPECT_EQ(policies.at("c").limit, std::nullopt);
  EXPECT_EQ(config->OtherTenants(GiB(1)), std::nullopt) << "those not listed are refused";
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
                         }));

TEST(ConfigTest, AMissingFileIsNotFound) {
  EXPECT_EQ(ReadConfig("/nonexistent/broker.textproto").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace kvbroker
