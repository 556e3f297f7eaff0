// The replay as people run it: real processes, a real broker, host memory.

#include <fcntl.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/broker_process.h"

namespace kvbroker::replay {
namespace {

using ::testing::HasSubstr;

class ReplayTest : public ::testing::Test {
 protected:
  // Starts the replay on the broker, small blocks and few requests, with these arguments besides.
  void Start(const BrokerProcess& broker, std::vector<std::string> arguments) {
    std::vector<std::string> all = {DataPath("tests/replay/replay"),
                                    "--runtime-dir",
                                    broker.runtime_dir(),
                                    "--reserve",
                                    "64MiB",
                                    "--slot",
                                    "2MiB",
                                    "--kv-bytes-per-token",
                                    "16KiB",
                                    "--prompt-tokens",
                                    "64",
                                    "--output-tokens",
                                    "64",
                                    "--step-time",
                                    "5ms",
                                    "--sample-interval",
                                    "50ms",
                                    "--json",
                                    dir_.path() + "/r.json",
                                    "--svg",
                                    dir_.path() + "/r.svg"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& argument : all) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (const int fd : {1, 2}) {
      posix_spawn_file_actions_addopen(&actions, fd, (dir_.path() + "/out").c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                       0600);
    }
    ASSERT_EQ(posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  int Wait() {
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  std::string Read(const std::string& name) const {
    std::ifstream in(dir_.path() + "/" + name);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  std::string Output() const { return Read("out"); }
  google::protobuf::Struct Json() const {
    google::protobuf::Struct json;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(Read("r.json"), &json).ok()) << Output();
    return json;
  }
  google::protobuf::Struct Summary() const { return Json().fields().at("summary").struct_value(); }
  // What a tenant gave back because it was asked to.
  double Reclaimed(int tenant) const {
    return Json()
        .fields()
        .at("tenants")
        .list_value()
        .values(tenant)
        .struct_value()
        .fields()
        .at("give_back")
        .struct_value()
        .fields()
        .at("reclaimed")
        .number_value();
  }

  // Requests of so many tokens in and out, 100 ms apart; the argument that hands them to a tenant.
  std::string Trace(const std::string& tenant, const std::vector<std::pair<int, int>>& requests) const {
    const std::string path = dir_.path() + "/" + tenant + ".csv";
    std::ofstream out(path);
    out << "TIMESTAMP,ContextTokens,GeneratedTokens\n";
    for (size_t i = 0; i < requests.size(); ++i) {
      out << "2023-11-16 18:00:00." << i << "," << requests[i].first << "," << requests[i].second << "\n";
    }
    return tenant + "=" + path;
  }

  TempDir dir_;
  pid_t pid_ = 0;
};

TEST_F(ReplayTest, TenantsWhosePeaksExceedTheCapacityShareItWithoutAnError) {
  const auto broker = BrokerProcess::Start({"--host-memory", "64MiB", "--tenant", "a=40MiB", "--tenant", "b=none"});
  Start(*broker, {"--tenants", "a,b", "--peak-rate", "80", "--ramp", "1s", "--low", "1", "--high", "2"});
  EXPECT_EQ(Wait(), 0) << Output() << broker->log();
  EXPECT_THAT(Output(), HasSubstr("result: ok"));
  EXPECT_THAT(Read("r.svg"), HasSubstr("limit 40 MiB"));

  const google::protobuf::Struct summary = Summary();
  const auto number = [&](const char* name) { return summary.fields().at(name).number_value(); };
  EXPECT_EQ(number("wrong_words"), 0);
  EXPECT_GT(number("verified"), 0);
  EXPECT_EQ(number("samples_over_capacity"), 0);
  EXPECT_EQ(number("capacity"), 64 << 20);
  EXPECT_LE(number("largest_sum_held"), number("capacity"));
  EXPECT_GT(number("sum_of_peaks"), number("capacity"));
  EXPECT_TRUE(broker->BecomesIdle(absl::Seconds(5)));
}

TEST_F(ReplayTest, CacheMovesToWhoeverIsBusyWithoutAWrongWord) {
  const auto broker = BrokerProcess::Start({"--host-memory", "64MiB", "--tenant", "a=none", "--tenant", "b=none"});
  Start(*broker, {"--tenants", "a,b", "--bursts", "12s", "--burst-on", "2s", "--duration", "14s", "--peak-rate", "80",
                  "--cache", "keep", "--low", "1", "--high", "2"});
  EXPECT_EQ(Wait(), 0) << Output() << broker->log();
  EXPECT_EQ(Summary().fields().at("wrong_words").number_value(), 0);
  EXPECT_GT(Reclaimed(0), 8 << 20) << Output();
  EXPECT_GT(Reclaimed(1), 8 << 20) << Output();
  EXPECT_TRUE(broker->BecomesIdle(absl::Seconds(5)));
}

TEST_F(ReplayTest, ARequestThatCanNeverBeHeldFailsClearlyAndTheOthersAreServed) {
  const auto broker = BrokerProcess::Start({"--host-memory", "64MiB", "--tenant", "a=16MiB", "--tenant", "b=none"});
  Start(*broker, {"--tenants", "a,b", "--trace", Trace("a", {{64, 64}, {1500, 64}, {64, 64}, {200, 1000}, {64, 64}}),
                  "--trace", Trace("b", {{64, 64}, {1500, 64}, {64, 64}}), "--floor", "b=26MiB", "--drain", "30s"});
  EXPECT_EQ(Wait(), 0) << Output() << broker->log();
  EXPECT_THAT(Output(), HasSubstr("a: 2 requests were larger than it may ever hold"));
  EXPECT_THAT(Output(), HasSubstr("the limit of tenant a is 16 MiB"));
  EXPECT_THAT(Output(), HasSubstr("3/5"));
  EXPECT_THAT(Output(), HasSubstr("3/3"));
}

TEST_F(ReplayTest, ATenantThatNeverAnswersCostsTheOthersTimeAndNothingElse) {
  const auto broker = BrokerProcess::Start({"--host-memory", "32MiB", "--tenant", "a=none", "--tenant", "b=none"});
  Start(*broker, {"--tenants", "a,b", "--pattern", "poisson", "--peak-rate", "20", "--duration", "4s", "--cache",
                  "keep", "--ignore-targets", "b", "--answer-after", "a=50ms", "--low", "1", "--high", "2"});
  EXPECT_EQ(Wait(), 0) << Output() << broker->log();
  EXPECT_EQ(Summary().fields().at("wrong_words").number_value(), 0);
}

TEST_F(ReplayTest, ReplaysTraces) {
  const auto broker = BrokerProcess::Start({"--host-memory", "64MiB"});
  Start(*broker, {"--tenants", "a,b", "--trace", "a=" + DataPath("tests/replay/testdata/azure.csv"), "--trace",
                  DataPath("tests/replay/testdata/burstgpt.csv") + "#GPT-4", "--time-scale", "10"});
  EXPECT_EQ(Wait(), 0) << Output() << broker->log();
  EXPECT_THAT(Output(), HasSubstr("8/8"));
  EXPECT_THAT(Output(), HasSubstr("2/2"));
}

TEST_F(ReplayTest, ATenantThatTheBrokerRefusesEndsItWithAReason) {
  const auto broker = BrokerProcess::Start({"--host-memory", "64MiB", "--tenant", "a=none"});
  Start(*broker, {"--tenants", "a,stranger"});
  EXPECT_EQ(Wait(), 1);
  EXPECT_THAT(Output(), HasSubstr("tenant stranger: "));
  EXPECT_TRUE(broker->BecomesIdle(absl::Seconds(5)));
}

TEST_F(ReplayTest, TheBrokersEndEndsIt) {
  const auto broker = BrokerProcess::Start({"--host-memory", "64MiB"});
  Start(*broker, {"--tenants", "a,b", "--ramp", "30s"});
  ASSERT_TRUE(Eventually(absl::Seconds(20), [&] { return Output().find(" s ") != std::string::npos; })) << Output();
  broker->Kill(SIGKILL);
  EXPECT_EQ(Wait(), 1);
  EXPECT_THAT(Output(), HasSubstr("watching the broker"));
}

}  // namespace
}  // namespace kvbroker::replay
