#include "tests/replay/options.h"

#include "gtest/gtest.h"

namespace kvbroker::replay {
namespace {

CommandLine Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "replay");
  return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
}

TEST(OptionsTest, DefaultsAreThreeLlamas) {
  const Options options = *Parse({}).options;
  EXPECT_EQ(options.tenants, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(options.bytes_per_token, KiB(128));
  EXPECT_EQ(options.layout()->block(), MiB(2));
  EXPECT_EQ(options.arena_slots(), 1920u);
  EXPECT_EQ(options.step_time, absl::Milliseconds(25));
  EXPECT_FALSE(options.run_as.has_value());
}

TEST(OptionsTest, ReadsSizesTimesAndTraces) {
  const Options options =
      *Parse({"--tenants", "chat,batch", "--kv-bytes-per-token", "16KiB", "--slot", "8MiB", "--ramp", "1.5s", "--trace",
              "chat=x.csv#GPT-4", "--trace", "y.csv", "--duration", "2m"})
           .options;
  EXPECT_EQ(options.layout()->block(), KiB(256));
  EXPECT_EQ(options.load.ramp, absl::Seconds(1.5));
  EXPECT_EQ(options.duration, absl::Minutes(2));
  ASSERT_EQ(options.traces.size(), 2u);
  EXPECT_EQ(options.traces[0].tenant, "chat");
  EXPECT_EQ(options.traces[0].path, "x.csv");
  EXPECT_EQ(options.traces[0].model, "GPT-4");
  EXPECT_EQ(options.traces[1].tenant, "");
}

TEST(OptionsTest, ReadsEachTenantsOwnOptions) {
  const Options options = *Parse({"--tenants", "a,b,c", "--cache", "keep", "--cache", "b=none", "--cache-max", "a=1GiB",
                                  "--answer-after", "b=300ms", "--ignore-targets", "a,c", "--floor", "16GiB"})
                               .options;
  ASSERT_EQ(options.of_tenant.size(), 3u);
  const TenantOptions& a = options.of_tenant[0];
  const TenantOptions& b = options.of_tenant[1];
  EXPECT_TRUE(a.keep_cache);
  EXPECT_FALSE(b.keep_cache);
  EXPECT_EQ(a.cache_max, GiB(1));
  EXPECT_EQ(b.cache_max, std::nullopt);
  EXPECT_EQ(a.answer.after, absl::ZeroDuration());
  EXPECT_EQ(b.answer.after, absl::Milliseconds(300));
  EXPECT_TRUE(a.answer.never);
  EXPECT_FALSE(b.answer.never);
  EXPECT_EQ(b.floor, GiB(16));
}

TEST(OptionsTest, BurstsDivideThePeriodUnlessTheirLengthIsGiven) {
  const Options options = *Parse({"--tenants", "a,b", "--bursts", "20s"}).options;
  EXPECT_EQ(options.load.pattern, LoadOptions::Pattern::kBurst);
  EXPECT_EQ(options.load.burst_on, absl::Seconds(10));
  EXPECT_EQ(options.load.burst_off, absl::Seconds(10));
  const Options shorter = *Parse({"--tenants", "a,b", "--bursts", "20s", "--burst-on", "4s"}).options;
  EXPECT_EQ(shorter.load.burst_on, absl::Seconds(4));
  EXPECT_EQ(shorter.load.burst_off, absl::Seconds(16));
}

TEST(OptionsTest, RefusesWhatCannotBe) {
  const std::vector<std::vector<const char*>> wrong = {
      {"--slot", "1MiB"},
      {"--slot", "0"},
      {"--reserve", "16MiB"},
      {"--tenants", "a,a"},
      {"--tenants", "a,"},
      {"--step-time", "-1s"},
      {"--step-time", "soon"},
      {"--sample-interval", "1ms"},
      {"--pattern", "sawtooth"},
      {"--cache", "some"},
      {"--cache", "d=keep"},
      {"--cache-max", "0"},
      {"--answer-after", "a=soon"},
      {"--ignore-targets", "d"},
      {"--floor", "a="},
      {"--bursts", "1ms"},
      {"--bursts", "5s", "--burst-on", "6s"},
      {"--overlap", "2"},
      {"--model", "gpt-2"},
      {"--trace", "d=x.csv"},
      {"--trace", "a="},
      {"--block-tokens", "0"},
      {"--kv-bytes-per-token", "99999TiB"},
      {"--run-as", "3", "--channel", "4"},
      {"--unheard-of"},
  };
  for (const std::vector<const char*>& arguments : wrong) {
    const CommandLine line = Parse(arguments);
    EXPECT_FALSE(line.options.has_value()) << arguments[0] << " " << arguments[arguments.size() - 1];
    EXPECT_EQ(line.exit_code, 2);
  }
}

TEST(OptionsTest, HelpIsNoError) {
  const CommandLine line = Parse({"--help"});
  EXPECT_FALSE(line.options.has_value());
  EXPECT_EQ(line.exit_code, 0);
}

}  // namespace
}  // namespace kvbroker::replay
