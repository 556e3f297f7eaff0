#include "common/base/log.h"

#include <string>

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

TEST(QuotedTest, KeepsAForgedLineOnOneLine) { EXPECT_EQ(Quoted("a\nerror: b"), "'a\\nerror: b'"); }

TEST(QuotedTest, CutsLongText) { EXPECT_LT(Quoted(std::string(100'000, 'x')).size(), 210u); }

}  // namespace
}  // namespace kvbroker
