#include "broker/core/tenants.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(TenantsTest, AConfiguredTenantHasItsOwnPolicy) {
  Tenants tenants({{"chat", {.limit = GiB(4)}}}, {}, TenantPolicy{.limit = GiB(1)});
  const absl::StatusOr<Tenants::Tenant*> chat = tenants.Admit("chat");
  ASSERT_TRUE(chat.ok());
  EXPECT_EQ((*chat)->policy.limit, GiB(4));
  EXPECT_EQ((*chat)->configured.limit, GiB(4));
}

TEST(TenantsTest, AnUnknownTenantIsRefusedByNameAndToldWhoIsKnown) {
  Tenants tenants({{"batch", {}}, {"chat", {}}}, {}, std::nullopt);

  const absl::Status status = tenants.Admit("cha").status();

  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'cha'"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("batch, chat"));
  EXPECT_EQ(tenants.all().size(), 2u);
}

TEST(TenantsTest, AnUnknownTenantIsAdmittedOnceWhereOthersMayCome) {
  Tenants tenants({}, {}, TenantPolicy{.limit = GiB(1)});
  Tenants::Tenant* first = *tenants.Admit("new");
  first->policy.limit = GiB(2);
  EXPECT_EQ(first->configured.limit, GiB(1));
  EXPECT_EQ(*tenants.Admit("new"), first);
  EXPECT_EQ(tenants.all().size(), 1u);
}

TEST(TenantsTest, FindNeverAdds) {
  Tenants tenants({}, {}, TenantPolicy{});
  const absl::Status status = tenants.Find("new").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("there are none"));
}

TEST(TenantsTest, RefusesWhatIsNoNameAndShowsItHarmless) {
  Tenants tenants({}, {}, TenantPolicy{});
  for (const std::string& name : {std::string(), std::string(65, 'x'), std::string("a b"), std::string("a/b"),
                                  std::string("a\nb"), std::string("a\0b", 3), std::string("\xff")}) {
    const absl::Status status = tenants.Admit(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(std::string(status.message()).find('\n'), std::string::npos);
  }
  EXPECT_TRUE(tenants.Admit(std::string(64, 'x')).ok());
  EXPECT_TRUE(tenants.Admit("Llama-3.1_8B").ok());
}

TEST(TenantsTest, AnotherConfigurationHoldsForWhoWasNotSetByOperators) {
  Tenants tenants({{"chat", {.weight = 1}}, {"set", {.weight = 1}}, {"same", {.weight = 1}}}, {{"set", {.weight = 7}}},
                  {});
  const auto changed =
      tenants.Configure({{"chat", {.weight = 2}}, {"set", {.weight = 2}}, {"same", {.weight = 1}}, {"new", {}}}, {});
  EXPECT_THAT(changed, ElementsAre("chat", "new"));
  EXPECT_EQ(tenants.all().at("chat").policy.weight, 2u);
  EXPECT_EQ(tenants.all().at("set").policy.weight, 7u);
  EXPECT_EQ(tenants.all().at("set").configured.weight, 2u) << "what `initial` says from now on";
  EXPECT_TRUE(tenants.Admit("new").ok());
}

TEST(TenantsTest, WhoIsConfiguredNoMoreIsOneOfTheOthersOrAdmittedNoMore) {
  Tenants tenants({{"gone", {.weight = 1}}, {"set", {}}}, {{"set", {}}}, {});
  EXPECT_THAT(tenants.Configure({}, std::nullopt), IsEmpty());
  EXPECT_EQ(tenants.all().at("gone").policy.weight, 1u) << "it has sessions, maybe";
  EXPECT_EQ(tenants.Admit("gone").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(tenants.Admit("set").ok());
  EXPECT_THAT(tenants.Configure({}, TenantPolicy{.weight = 3}), ElementsAre("gone"));
  EXPECT_EQ(tenants.all().at("gone").policy.weight, 3u);
  EXPECT_EQ((*tenants.Admit("comes"))->policy.weight, 3u);
  EXPECT_TRUE(tenants.Admit("gone").ok());
}

TEST(TenantsTest, OnlySoManyMayCome) {
  Tenants tenants({{"chat", {}}}, {}, TenantPolicy{});
  absl::Status status;
  for (int i = 0; status.ok() && i < 100'000; ++i) status = tenants.Admit("t" + std::to_string(i)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(tenants.Admit("chat").ok()) << "who is known still may";
}

}  // namespace
}  // namespace kvbroker
