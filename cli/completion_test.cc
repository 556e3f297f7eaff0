#include "cli/completion.h"

#include <sstream>
#include <string>

#include "cli/run.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CompletionTest : public ::testing::TestWithParam<const char*> {
 protected:
  static std::string Script() {
    std::ostringstream out;
    std::ostringstream err;
    EXPECT_EQ(cli::Run({"completion", GetParam()}, {.out = out, .err = err}), kExitOk) << err.str();
    return out.str();
  }
};

TEST_P(CompletionTest, KnowsEveryCommandAndOption) {
  const std::string script = Script();
  for (const char* word : {"status",           "tenants",     "sessions", "rooms",       "top",         "events",
                           "follow",           "why",         "simulate", "tenant",      "limit",       "launch",
                           "completion",       "version",     "socket",   "runtime-dir", "device",      "json",
                           "interval",         "count",       "help",     "want",        "guarantee",   "deadline",
                           "on-missed-target", "if-revision", "room",     "ttl",         "best_effort", "end_process",
                           "initial",          "trim",        "session",  "drain",       "detach",      "dump",
                           "forget",           "delete",      "within",   "wait",        "off"}) {
    EXPECT_THAT(script, HasSubstr(word));
  }
}

TEST_P(CompletionTest, AsksTheBrokerForTenants) {
  const std::string script = Script();
  EXPECT_THAT(script, HasSubstr(" tenants --names"));
  EXPECT_THAT(script, HasSubstr(" sessions --ids"));
  EXPECT_THAT(script, Not(HasSubstr("--names["))) << "a hidden option is offered";
}

TEST_P(CompletionTest, IsFilledIn) { EXPECT_THAT(Script(), Not(::testing::ContainsRegex("@[A-Z]+@"))); }

INSTANTIATE_TEST_SUITE_P(Shells, CompletionTest, ::testing::Values("bash", "zsh", "fish"));

}  // namespace
}  // namespace kvbroker::cli
