#include "cli/tenants.h"

#include "cli/testing/fake_broker.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

TEST(RenderTenantsTest, ListsWhatEachHas) {
  EXPECT_EQ(RenderTenants(SampleStatus(), SampleTenants()),
            "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n"
            "\n"
            "TENANT  GRANTED     LIMIT  CONFIGURED    WANTED      PEAK  SESSIONS\n"
            "batch   4.5 GiB      none        none   4.5 GiB   9.0 GiB         1\n"
            "chat    8.0 GiB  10.0 GiB     8.0 GiB  10.0 GiB  10.0 GiB         2\n");
}

TEST(RenderTenantsTest, ALimitOfNothingIsALimit) {
  admin::v1::ListTenantsResponse tenants;
  tenants.add_tenants()->set_name("a");
  EXPECT_EQ(RenderTenants(SampleStatus(), tenants),
            "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n"
            "\n"
            "TENANT  GRANTED  LIMIT  CONFIGURED  WANTED  PEAK  SESSIONS\n"
            "a           0 B    0 B        none     0 B   0 B         0\n");
}

TEST(RenderTenantsTest, SaysThatThereAreNone) {
  EXPECT_EQ(RenderTenants(SampleStatus(), {}), "HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n\nNo tenants.\n");
}

}  // namespace
}  // namespace kvbroker::cli
