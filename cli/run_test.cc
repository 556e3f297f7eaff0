#include "cli/run.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/testing/fake_broker.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::vector<std::string> Lines(const std::string& text) { return absl::StrSplit(text, '\n'); }

struct Outcome {
  int exit_code;
  std::string out;
  std::string err;
};

class RunTest : public ::testing::Test {
 protected:
  // kvctl --socket <the fake's> ARGS
  Outcome Ask(std::vector<std::string> args) {
    args.insert(args.begin(), {"--socket", broker_.socket()});
    return Kvctl(args);
  }

  Outcome Kvctl(const std::vector<std::string>& args) {
    std::ostringstream out;
    std::ostringstream err;
    const int code = cli::Run(args, {.out = out, .err = err, .live = live_});
    return {code, out.str(), err.str()};
  }

  void ExpectUsageError(const std::vector<std::string>& args, const std::string& names) {
    const Outcome outcome = Ask(args);
    EXPECT_EQ(outcome.exit_code, kExitUsage) << names;
    EXPECT_THAT(outcome.err, AllOf(StartsWith("kvctl: "), HasSubstr(names), EndsWith("--help)\n")));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
    EXPECT_THAT(outcome.out, IsEmpty());
  }

  bool live_ = false;
  TempDir dir_;
  FakeBroker broker_{dir_.path()};
};

TEST_F(RunTest, StatusTenantsAndSessionsBeginWithTheDevice) {
  for (const char* command : {"status", "tenants", "sessions", "rooms"}) {
    const Outcome outcome = Ask({command});
    EXPECT_EQ(outcome.exit_code, kExitOk) << outcome.err;
    EXPECT_THAT(outcome.out, StartsWith("HOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n\n"));
    EXPECT_THAT(outcome.err, IsEmpty());
  }
}

TEST_F(RunTest, JsonIsTakenBeforeAndBehindTheCommand) {
  EXPECT_THAT(Ask({"status", "--json"}).out, HasSubstr("\"granted\": \"13421772800\""));
  EXPECT_THAT(Ask({"--json", "tenants"}).out, HasSubstr("\"unlimited\": true"));
  EXPECT_THAT(Ask({"sessions", "--json"}).out, HasSubstr("\"target\": \"18446744073709551615\""));
  EXPECT_THAT(Ask({"limit", "chat", "none", "--json"}).out, HasSubstr("\"unlimited\": true"));
  EXPECT_THAT(Ask({"tenant", "chat", "--json"}).out, HasSubstr("\"has_turn\": true"));
  EXPECT_THAT(Ask({"tenant", "chat", "--weight", "5", "--json"}).out, HasSubstr("\"revision\": \"8\""));
  EXPECT_THAT(Ask({"simulate", "chat", "--json"}).out, HasSubstr("\"entitled_after\": \"4831838208\""));
  EXPECT_THAT(Ask({"why", "1", "--json"}).out, HasSubstr("\"rule\": \"limit\""));
  EXPECT_THAT(Ask({"rooms", "--json"}).out, HasSubstr("\"state\": \"waiting\""));
  EXPECT_EQ(Ask({"version", "--json"}).out, "{\"version\": \"0.1.0\"}\n");
}

TEST_F(RunTest, FindsTheBrokerByItsRuntimeDirectoryAndDevice) {
  EXPECT_EQ(Kvctl({"status", "--runtime-dir", dir_.path()}).exit_code, kExitOk);
  EXPECT_EQ(Kvctl({"status", "--runtime-dir", dir_.path(), "--device", "HOST-demo"}).exit_code, kExitOk);
  const Outcome other = Kvctl({"status", "--runtime-dir", dir_.path(), "--device", "HOST-y"});
  EXPECT_EQ(other.exit_code, kExitFailed);
  EXPECT_THAT(other.err, EndsWith("there are: HOST-demo\n"));
}

TEST_F(RunTest, LimitSendsASizeAPercentageOrNone) {
  EXPECT_EQ(Ask({"limit", "chat", "2GiB"}).out,
            "chat: limit 2.0 GiB; it holds 6.0 GiB more and is asked to give that back\n");
  EXPECT_EQ(Ask({"limit", "chat", "50%"}).out, "chat: limit 10.0 GiB\n");
  EXPECT_EQ(Ask({"limit", "status", "none"}).out, "status: no limit\n");
  EXPECT_EQ(Ask({"limit", "chat", "initial", "--force"}).exit_code, kExitOk);
  const auto changes = broker_.changes();
  ASSERT_EQ(changes.size(), 4u);
  EXPECT_EQ(changes[0].limit().bytes(), uint64_t{2} << 30);
  EXPECT_FALSE(changes[0].force());
  EXPECT_FALSE(changes[0].create());
  EXPECT_EQ(changes[1].limit().percent(), 50);
  EXPECT_EQ(changes[2].tenant(), "status");
  EXPECT_TRUE(changes[3].limit().initial());
  EXPECT_TRUE(changes[3].force());
}

TEST_F(RunTest, TenantSendsWhatIsGivenAndNothingElse) {
  EXPECT_EQ(Ask({"tenant", "chat", "--weight", "7", "--create", "--if-revision", "7"}).out,
            "chat: limit 10.0 GiB, guarantee 4.0 GiB within 250 ms, weight 7, interactive, no_growth (revision 8)\n");
  const auto changes = broker_.changes();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].ShortDebugString(), "tenant: \"chat\" weight: 7 if_revision: 7 create: true");
}

TEST_F(RunTest, TenantWithoutOptionsShowsItAndChangesNothing) {
  EXPECT_THAT(Ask({"tenant", "chat"}).out, HasSubstr("\nchat: interactive, weight 200"));
  EXPECT_EQ(Ask({"tenant", "x"}).err, "kvctl: no tenant 'x'; there are: batch, chat\n");
  EXPECT_THAT(broker_.changes(), IsEmpty());
}

TEST_F(RunTest, SimulateAsksWithWantAndPolicy) {
  EXPECT_THAT(Ask({"simulate", "chat", "--want", "14GiB", "--class", "batch"}).out,
              StartsWith("If chat wanted 14.0 GiB with class batch (nothing is changed):\n"));
  const auto simulations = broker_.simulations();
  ASSERT_EQ(simulations.size(), 1u);
  EXPECT_EQ(simulations[0].ShortDebugString(), "change { tenant: \"chat\" tenant_class: BATCH } want: 15032385536");
}

TEST_F(RunTest, WhyAsksForTheSessionThatIsNamed) {
  EXPECT_THAT(Ask({"why", "1"}).out, StartsWith("chat has reached its limit (limit: see docs/policy.md)\n"));
  EXPECT_EQ(Ask({"why", "2"}).err, "kvctl: no session 2\n");
}

TEST_F(RunTest, StatusNamesTheRooms) {
  EXPECT_THAT(Ask({"status"}).out, HasSubstr("launch, process 4720: 2.0 GiB, ready for 4.0 s\n"));
}

TEST_F(RunTest, ThePolicysBadValuesSendNothing) {
  ExpectUsageError({"tenant", "chat", "--limit", "40GB!"}, "--limit: '40GB!'");
  ExpectUsageError({"tenant", "chat", "--reserved", "-5GiB"}, "--reserved: '-5GiB'");
  ExpectUsageError({"tenant", "chat", "--weight", "0"}, "--weight: '0'");
  ExpectUsageError({"tenant", "chat", "--class", "vip"}, "--class: 'vip'");
  ExpectUsageError({"tenant", "chat", "--if-revision", "0"}, "--if-revision: '0'");
  ExpectUsageError({"tenant", "chat", "--force"}, "--force says how to change the policy, and no change is given");
  ExpectUsageError({"tenant", "chat", "--if-revision", "3"}, "--if-revision says how");
  ExpectUsageError({"tenant", "--weight", "5"}, "TENANT");
  ExpectUsageError({"simulate", "chat", "--want", "much"}, "--want: 'much'");
  ExpectUsageError({"simulate", "chat", "--weight", "0"}, "--weight: '0'");
  ExpectUsageError({"simulate", "chat", "--force"}, "'--force'");
  ExpectUsageError({"why", "chat"}, "'chat' is no number of a session");
  ExpectUsageError({"why", "0"}, "'0'");
  EXPECT_THAT(broker_.changes(), IsEmpty());
  EXPECT_THAT(broker_.simulations(), IsEmpty());
}

TEST_F(RunTest, ALaunchThatMakesNoSenseRunsNothing) {
  ExpectUsageError({"launch", "--", "true"}, "--room");
  ExpectUsageError({"launch", "--room", "1GiB"}, "nothing to run is given: it stands behind --");
  ExpectUsageError({"launch", "--room", "1GiB", "true", "--x"}, "'true': what is to be run stands behind --");
  ExpectUsageError({"launch", "--room", "22GB!", "--", "true"}, "--room: '22GB!'");
  ExpectUsageError({"launch", "--room", "-1GiB", "--", "true"}, "--room: '-1GiB'");
  ExpectUsageError({"launch", "--room", "0", "--", "true"}, "--room: '0' is no room");
  ExpectUsageError({"launch", "--room", "1G", "--timeout", "soon", "--", "true"}, "--timeout: 'soon'");
  ExpectUsageError({"launch", "--room", "1G", "--ttl", "-1s", "--", "true"}, "--ttl: '-1s'");
  ExpectUsageError({"launch", "--room", "1G", "--tenant", "", "--", "true"}, "--tenant: ''");
}

TEST_F(RunTest, WhatStandsBehindTheMarkIsNoOption) {
  ExpectUsageError({"limit", "launch", "--", "-5GiB"}, "'-5GiB' is no amount");
  EXPECT_EQ(Ask({"limit", "--", "launch", "2GiB"}).exit_code, kExitOk);
}

TEST_F(RunTest, ALimitThatIsNoneSendsNothing) {
  ExpectUsageError({"limit", "chat", "40GB!"}, "'40GB!'");
  ExpectUsageError({"limit", "chat", "-5GiB"}, "'-5GiB'");
  ExpectUsageError({"limit", "chat", "120%"}, "'120%'");
  ExpectUsageError({"limit", "chat", "120", "%"}, "'%'");
  ExpectUsageError({"limit", "", "1G"}, "''");
  EXPECT_THAT(broker_.changes(), IsEmpty());
}

TEST_F(RunTest, WrongArgumentsAreNamed) {
  ExpectUsageError({}, "no command is given: status, tenants,");
  ExpectUsageError({"stats"}, "unknown command 'stats'");
  ExpectUsageError({"--frob", "status"}, "'--frob'");
  ExpectUsageError({"status", "--frob=1"}, "'--frob=1'");
  ExpectUsageError({"status", "now"}, "'now'");
  ExpectUsageError({"limit", "chat"}, "LIMIT");
  ExpectUsageError({"top", "--interval", "5 apples"}, "'5 apples'");
  ExpectUsageError({"top", "--count", "0"}, "'0'");
  ExpectUsageError({"top", "--count", "-1"}, "'-1'");
  ExpectUsageError({"top", "--interval"}, "--interval");
  ExpectUsageError({"completion", "tcsh"}, "'tcsh'");
  ExpectUsageError({"status", "--device", "HOST-demo"}, "--socket");
  ExpectUsageError({"status", "--runtime-dir", ""}, "--runtime-dir");
  EXPECT_EQ(broker_.watches(), 0);
}

TEST_F(RunTest, EveryCommandHelps) {
  EXPECT_THAT(Kvctl({"--help"}).out,
              AllOf(HasSubstr("kvctl status"), HasSubstr("Exit codes: 0 ok, 1 failed, 2 usage")));
  for (const char* command :
       {"status", "tenants", "sessions", "rooms", "top", "events", "why", "simulate", "tenant", "limit", "trim",
        "session", "drain", "detach", "launch", "dump", "completion", "version"}) {
    const Outcome outcome = Kvctl({command, "--help"});
    EXPECT_EQ(outcome.exit_code, kExitOk);
    EXPECT_THAT(outcome.out, AllOf(HasSubstr("Examples:\n"), HasSubstr(absl::StrCat("  kvctl ", command))));
  }
}

TEST_F(RunTest, PrintsWhatTheBrokerSaysAsItIs) {
  broker_.Fail({grpc::StatusCode::NOT_FOUND, "no tenant 'x'; there are: batch, chat"});
  const Outcome outcome = Ask({"limit", "x", "1G"});
  EXPECT_EQ(outcome.exit_code, kExitFailed);
  EXPECT_EQ(outcome.err, "kvctl: no tenant 'x'; there are: batch, chat\n");
  EXPECT_THAT(outcome.out, IsEmpty());
}

TEST_F(RunTest, WhatALivingBrokerCannotDoIsNoBrokerThatIsGone) {
  broker_.Fail({grpc::StatusCode::UNAVAILABLE, "writing /x/policy.textproto.new: Read-only file system"});
  EXPECT_EQ(Ask({"limit", "chat", "1G"}).err, "kvctl: writing /x/policy.textproto.new: Read-only file system\n");
}

TEST_F(RunTest, ABrokerThatDoesNotKnowTheCallIsOfAnotherVersion) {
  broker_.Fail({grpc::StatusCode::UNIMPLEMENTED, ""});
  EXPECT_THAT(Ask({"status"}).err, HasSubstr("another version"));
}

TEST_F(RunTest, NoBrokerIsOneLine) {
  const Outcome outcome = Kvctl({"status", "--socket", dir_.path() + "/none.sock"});
  EXPECT_EQ(outcome.exit_code, kExitFailed);
  EXPECT_THAT(outcome.err, AllOf(StartsWith("kvctl: no broker answers at "), HasSubstr("kvbrokerd --device host")));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
}

TEST_F(RunTest, AnOutputThatCannotBeWrittenIsAnError) {
  std::ostringstream out;
  std::ostringstream err;
  out.setstate(std::ios::badbit);
  EXPECT_EQ(cli::Run({"version"}, {.out = out, .err = err}), kExitFailed);
  EXPECT_EQ(err.str(), "kvctl: the output could not be written\n");
}

TEST_F(RunTest, WatchPrintsALineForEachSampleInAPipe) {
  const Outcome outcome = Ask({"top", "--interval", "1s", "--count", "2"});
  EXPECT_EQ(outcome.exit_code, kExitOk);
  EXPECT_THAT(Lines(outcome.out), ElementsAre(StartsWith("12.5 s  granted"), StartsWith("13.5 s  granted"), ""));
}

TEST_F(RunTest, WatchPrintsAJsonObjectALine) {
  const Outcome outcome = Ask({"top", "--count", "2", "--json"});
  EXPECT_THAT(Lines(outcome.out), ElementsAre(StartsWith("{\"status\":{"), StartsWith("{"), ""));
}

TEST_F(RunTest, WatchOnATerminalLeavesItAsItWas) {
  live_ = true;
  const Outcome outcome = Ask({"top", "--count", "2"});
  EXPECT_THAT(outcome.out, StartsWith("\x1b[?1049h\x1b[?25l\x1b[HHOST-demo"));
  const size_t left = outcome.out.find("\x1b[?25h\x1b[?1049l");
  ASSERT_NE(left, std::string::npos);
  EXPECT_THAT(outcome.out.substr(left), HasSubstr("\x1b[?1049lHOST-demo (host memory, 24 GiB): capacity 20.0 GiB\n"));
}

TEST_F(RunTest, ABrokerThatGoesAwayEndsTheWatch) {
  broker_.SendSamples(1, FakeBroker::ThenWatch::kIsGone);
  const Outcome outcome = Ask({"top"});
  EXPECT_EQ(outcome.exit_code, kExitFailed);
  EXPECT_EQ(outcome.err, absl::StrCat("kvctl: the broker at ", broker_.socket(), " has gone away\n"));
  EXPECT_THAT(outcome.out, HasSubstr("granted"));
}

TEST_F(RunTest, AWatchThatEndsEarlyFails) {
  broker_.SendSamples(1, FakeBroker::ThenWatch::kEnds);
  EXPECT_EQ(Ask({"top", "--count", "2"}).exit_code, kExitFailed);
}

TEST_F(RunTest, ASilentBrokerEndsTheWatch) {
  broker_.SendSamples(0, FakeBroker::ThenWatch::kWaits);
  const Outcome outcome = Ask({"top", "--interval", "50ms"});
  EXPECT_EQ(outcome.exit_code, kExitFailed);
  EXPECT_THAT(outcome.err, HasSubstr("has sent nothing for 5.05s"));
}

TEST_F(RunTest, TrimsATenantOnce) {
  EXPECT_EQ(Ask({"trim", "chat", "--to", "2GiB"}).out, "chat: 8.0 GiB -> 2.0 GiB in 38 ms\n");
  ExpectUsageError({"trim", "chat"}, "--to");
  ExpectUsageError({"trim", "chat", "--to", "none"}, "'none'");
  ExpectUsageError({"trim", "chat", "--to", "1G", "--within", "1h"}, "'1h'");
}

TEST_F(RunTest, SaysWhatTheBrokerSaysOfATrimThatWasNotAnswered) {
  broker_.Fail({grpc::StatusCode::DEADLINE_EXCEEDED, "tenant chat holds 1 GiB after 1s, not 0 B (it held 8 GiB)"});
  const Outcome outcome = Ask({"trim", "chat", "--to", "0", "--within", "1s"});
  EXPECT_EQ(outcome.exit_code, kExitFailed);
  EXPECT_EQ(outcome.err, "kvctl: tenant chat holds 1 GiB after 1s, not 0 B (it held 8 GiB)\n");
}

TEST_F(RunTest, DrainsAndWaitsForTheLastSession) {
  const Outcome outcome = Ask({"drain", "--wait"});
  EXPECT_EQ(outcome.exit_code, kExitOk);
  EXPECT_EQ(outcome.out, "drained: no new sessions are admitted; 2 sessions go on\nno session is left\n");
  EXPECT_EQ(outcome.err,
            "2 sessions are left: 1 (chat, pid 4712), 12 (batch, pid 98765, draining)\n"
            "1 session is left: 1 (chat, pid 4712)\n");
  EXPECT_EQ(Ask({"drain", "--off"}).out, "new sessions are admitted\n");
  ExpectUsageError({"drain", "--off", "--wait"}, "--off and --wait");
}

TEST_F(RunTest, LetsGoOfTheDevice) {
  EXPECT_EQ(Ask({"detach"}).out, "HOST-demo: its broker has ended, and nothing of it is on the device\n");
  EXPECT_THAT(Ask({"detach", "--wait"}).err, HasSubstr("1 session is left"));
}

TEST_F(RunTest, ShowsASessionOrGivesItUp) {
  EXPECT_THAT(Ask({"session", "12"}).out, HasSubstr("session 12 of batch, draining"));
  EXPECT_EQ(Ask({"session", "99"}).err, "kvctl: no session 99\n");
  EXPECT_EQ(Ask({"session", "12", "--forget"}).out,
            "session 12 is given up; of the 2.0 GiB it held, what is not back in 5 s counts as used by others\n");
  ExpectUsageError({"session", "x"}, "'x'");
}

TEST_F(RunTest, DeletesWhatWasSetOfATenant) {
  EXPECT_THAT(Ask({"tenant", "batch", "--delete"}).out, HasSubstr("batch: as configured again: no limit, reserved"));
  EXPECT_EQ(Ask({"tenant", "night", "--delete"}).out, "night: known no more (revision 8)\n");
  ExpectUsageError({"tenant", "night", "--delete", "--weight", "3"}, "--delete");
}

TEST_F(RunTest, DumpsAllThatTheBrokerKnows) {
  const Outcome outcome = Ask({"dump"});
  EXPECT_EQ(outcome.exit_code, kExitOk);
  for (const char* part : {"\"status\"", "\"tenants\"", "\"sessions\"", "\"because\"", "\"rooms\"", "target missed"}) {
    EXPECT_THAT(outcome.out, HasSubstr(part));
  }
}

TEST_F(RunTest, TopIsKnownByItsOldName) { EXPECT_EQ(Ask({"watch", "--count", "1"}).exit_code, kExitOk); }

}  // namespace
}  // namespace kvbroker::cli
