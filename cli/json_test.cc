#include "cli/json.h"

#include "cli/testing/fake_broker.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

TEST(ToJsonTest, HasEveryFieldByItsNameInTheProto) {
  admin::v1::SetTenantResponse response;
  response.set_bytes_over(2);
  EXPECT_EQ(ToJson(response),
            "{\n"
            " \"revision\": \"0\",\n"
            " \"bytes_over\": \"2\"\n"
            "}\n");
}

TEST(ToJsonTest, OneLineIsOneLine) {
  const std::string json = ToJson(SampleSnapshot(), JsonShape::kOneLine);
  EXPECT_EQ(json.find('\n'), json.size() - 1);
}

}  // namespace
}  // namespace kvbroker::cli
