#include "tests/sim/guarantee_sim.h"

#include "gtest/gtest.h"

namespace kvbroker::sim {
namespace {
TEST(GuaranteeTest, X) {}
}  // namespace
}  // namespace kvbroker::sim
