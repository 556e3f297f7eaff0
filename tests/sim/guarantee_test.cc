#include "gtest/gtest.h"
#include "tests/sim/guarantee_sim.h"

namespace kvbroker::sim {
namespace {
TEST(GuaranteeTest, X) {}
}  // namespace
}  // namespace kvbroker::sim
