// Small worlds are tried out wholly; large ones by hand, with //tests/model:check.

#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "tests/model/explore.h"

namespace kvbroker::model {
namespace {

TEST(ModelTest, NothingIsLostWhateverHappensWithOneCrash) {
  const Explored explored = Explore({.slots = 2, .crashes = 1, .returns = 0});
  EXPECT_EQ(explored.wrong, std::nullopt) << absl::StrJoin(explored.path, "\n");
  EXPECT_GT(explored.states, 1000u);
}

TEST(ModelTest, ABrokerThatForgetsIsFound) {
  const Explored explored = Explore({.slots = 2, .crashes = 1, .returns = 0, .journals = false});
  EXPECT_NE(explored.wrong, std::nullopt);
  EXPECT_FALSE(explored.path.empty());
}

}  // namespace
}  // namespace kvbroker::model
