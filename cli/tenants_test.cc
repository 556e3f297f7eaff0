#include "cli/tenants.h"

#include "cli/testing/fake_broker.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

TEST(RenderTenantsTest, ListsWhatEachHas) {
  EXPECT_EQ(RenderTenants(SampleStatus(), SampleTenants()),
            "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n"
            "\n"
            "TENANT  CLASS        WEIGHT  GRANTED    SHARE    WANTED  RESERVED  GUARANTEE     LIMIT  SESSIONS\n"
            "batch   batch            50  4.5 GiB  4.5 GiB   4.5 GiB   1.0 GiB          -      none         1\n"
            "chat*   interactive     200  8.0 GiB  9.0 GiB  10.0 GiB         -    4.0 GiB  10.0 GiB         2\n"
            "\n"
            "* has the turn: of those that starve it is served next\n");
}

TEST(RenderTenantsTest, ALimitOfNothingIsALimit) {
  admin::v1::ListTenantsResponse tenants;
  tenants.add_tenants()->set_name("a");
  tenants.mutable_tenants(0)->mutable_policy()->set_tenant_class(admin::v1::BEST_EFFORT);
  EXPECT_EQ(RenderTenants(SampleStatus(), tenants),
            "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n"
            "\n"
            "TENANT  CLASS        WEIGHT  GRANTED  SHARE  WANTED  RESERVED  GUARANTEE  LIMIT  SESSIONS\n"
            "a       best_effort       0      0 B    0 B     0 B         -          -    0 B         0\n");
}

TEST(RenderTenantsTest, SaysThatThereAreNone) {
  EXPECT_EQ(RenderTenants(SampleStatus(), {}), "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n\nNo tenants.\n");
}

}  // namespace
}  // namespace kvbroker::cli
