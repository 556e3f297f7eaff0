#include "cli/policy_options.h"

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<admin::v1::SetTenantRequest> Parse(std::vector<std::string> args) {
  CLI::App app;
  PolicyOptions options;
  options.Declare(app);
  app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  EXPECT_EQ(options.given(), !args.empty());
  return options.Parse();
}

TEST(PolicyOptionsTest, AsksForWhatIsGiven) {
  const auto request = Parse({"--limit", "50%", "--reserved", "1GiB", "--guarantee=none", "--deadline", "250ms",
                              "--weight", "7", "--class", "best_effort", "--on-missed-target", "end_process"});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->limit().percent(), 50);
  EXPECT_EQ(request->reserved().bytes(), uint64_t{1} << 30);
  EXPECT_TRUE(request->guarantee().none());
  EXPECT_EQ(request->guarantee_deadline_ms(), 250u);
  EXPECT_EQ(request->weight(), 7u);
  EXPECT_EQ(request->tenant_class(), admin::v1::BEST_EFFORT);
  EXPECT_EQ(request->missed_target(), admin::v1::END_PROCESS);
}

TEST(PolicyOptionsTest, WhatIsNotGivenStays) {
  const auto request = Parse({});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->ByteSizeLong(), 0u);
}

TEST(PolicyOptionsTest, NamesTheOptionAndItsValue) {
  struct Bad {
    std::vector<std::string> args;
    std::string named;
  };
  for (const Bad& bad : std::vector<Bad>{{{"--limit", "40GB!"}, "--limit: '40GB!' is no amount"},
                                         {{"--limit", ""}, "--limit: '' is no amount"},
                                         {{"--reserved", "-5GiB"}, "--reserved: '-5GiB' is no amount"},
                                         {{"--guarantee", "120%"}, "--guarantee: '120%' is no percentage"},
                                         {{"--deadline", "5ms"}, "--deadline: '5ms' is no time from 10ms to 1h"},
                                         {{"--weight", "0"}, "--weight: '0' is no weight: 1 to 10000"},
                                         {{"--weight", "-3"}, "--weight: '-3'"},
                                         {{"--weight", "10001"}, "--weight: '10001'"},
                                         {{"--weight", "1.5"}, "--weight: '1.5'"},
                                         {{"--class", "vip"}, "--class: 'vip' is no class: interactive, batch or"},
                                         {{"--on-missed-target", "pray"}, "'pray' is neither no_growth nor"}}) {
    const auto request = Parse(bad.args);
    EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << bad.named;
    EXPECT_THAT(std::string(request.status().message()), HasSubstr(bad.named));
  }
}

}  // namespace
}  // namespace kvbroker::cli
