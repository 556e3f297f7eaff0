#include "tests/replay/model_shape.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::replay {
namespace {

using ::testing::HasSubstr;

TEST(ModelShapeTest, CountsKeysAndValuesOfAllLayers) {
  EXPECT_EQ(FindModel("Llama-3.1-8B")->bytes_per_token(), KiB(128));
  EXPECT_EQ(FindModel("llama-3.1-70b")->bytes_per_token(), KiB(320));
  EXPECT_EQ(FindModel("llama-3.2-1b")->bytes_per_token(), KiB(32));
}

TEST(ModelShapeTest, NamesTheModelsThereAre) {
  const absl::StatusOr<ModelShape> model = FindModel("gpt-2");
  ASSERT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(model.status().message()), HasSubstr("qwen3-8b"));
}

}  // namespace
}  // namespace kvbroker::replay
