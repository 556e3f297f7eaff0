#include "cli/child.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/testing/fake_broker.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::HasSubstr;

// What `run` returns in a process of its own, or 1000 + the signal that ended it. `meanwhile` gets its pid, after it has
// written a byte to the descriptor it was given.
int InProcess(const std::function<int(int ready)>& run, const std::function<void(pid_t)>& meanwhile) {
  int pipe_fds[2];
  EXPECT_EQ(pipe(pipe_fds), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    // A test that runs in the background may have been told to ignore them.
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, SIG_DFL);
    _exit(run(pipe_fds[1]));
  }
  close(pipe_fds[1]);
  char byte;
  EXPECT_EQ(read(pipe_fds[0], &byte, 1), 1);
  meanwhile(pid);
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  close(pipe_fds[0]);
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Runs a script that may write to descriptor 9 when it is ready.
int RunScript(const std::string& script, int ready) {
  Child child;
  if (ready >= 0) dup2(ready, 9);
  if (!child.Start("/bin/sh", {"sh", "-c", script}).ok()) return 99;
  return child.Wait();
}

class FindProgramTest : public ::testing::Test {
 protected:
  FindProgramTest() {
    std::ofstream(dir_.path() + "/tool") << "#!/bin/sh\n";
    std::ofstream(dir_.path() + "/notes") << "text";
    chmod((dir_.path() + "/tool").c_str(), 0755);
    chmod((dir_.path() + "/notes").c_str(), 0644);
    setenv("PATH", absl::StrCat("/nonexistent:", dir_.path(), ":/bin").c_str(), 1);
  }
  ~FindProgramTest() override { setenv("PATH", before_.c_str(), 1); }

  const std::string before_ = getenv("PATH");
  TempDir dir_;
};

TEST_F(FindProgramTest, LooksInThePath) {
  EXPECT_EQ(*FindProgram("tool"), dir_.path() + "/tool");
  EXPECT_EQ(*FindProgram("sh"), "/bin/sh");
}

TEST_F(FindProgramTest, TakesAPathAsItIs) { EXPECT_EQ(*FindProgram(dir_.path() + "/tool"), dir_.path() + "/tool"); }

TEST_F(FindProgramTest, NamesWhatIsNotThere) {
  for (const std::string& word : {std::string("tol"), std::string(""), dir_.path() + "/tol", dir_.path()}) {
    const absl::Status status = FindProgram(word).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << word;
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("'", word, "'")));
  }
}

TEST_F(FindProgramTest, NamesWhatMayNotBeRun) {
  for (const std::string& word : {std::string("notes"), dir_.path() + "/notes"}) {
    const absl::Status status = FindProgram(word).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_THAT(std::string(status.message()), HasSubstr(dir_.path() + "/notes"));
  }
}

TEST(ChildTest, ReturnsWhatItExitsWith) {
  EXPECT_EQ(RunScript("exit 0", -1), 0);
  EXPECT_EQ(RunScript("exit 7", -1), 7);
  EXPECT_EQ(RunScript("kill -KILL $$", -1), 128 + SIGKILL);
}

TEST(ChildTest, GetsEnvironmentAndSignalsAsTheyWere) {
  setenv("CUDA_VISIBLE_DEVICES", "3", 1);
  EXPECT_EQ(RunScript("test \"$CUDA_VISIBLE_DEVICES\" = 3", -1), 0);
  EXPECT_EQ(RunScript("exec grep -q '^SigBlk:.*0000000000000000' /proc/self/status", -1), 0);
}

TEST(ChildTest, NamesWhatCannotBeRun) {
  Child child;
  const absl::Status status = child.Start("/nonexistent/tool", {"tool"});
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent/tool"));
}

TEST(ChildTest, PassesSignalsOn) {
  for (const auto& [signal, name] : {std::pair(SIGINT, "INT"), {SIGTERM, "TERM"}, {SIGHUP, "HUP"}}) {
    const std::string script = absl::StrCat("trap 'exit 42' ", name, "; echo >&9; while true; do sleep 0.01; done");
    EXPECT_EQ(InProcess([&](int ready) { return RunScript(script, ready); },
                        [number = signal](pid_t pid) { kill(pid, number); }),
              42)
        << name;
  }
}

TEST(ChildTest, ASignalThatEndsTheChildIsItsExitCode) {
  EXPECT_EQ(InProcess([](int ready) { return RunScript("echo >&9; exec sleep 20", ready); },
                      [](pid_t pid) { kill(pid, SIGTERM); }),
            128 + SIGTERM);
}

TEST(ChildTest, WithoutAChildASignalEndsThisProcess) {
  const auto wait = [](int ready) {
    Child child;
    bool last = false;
    while (write(ready, "x", 1) == 1 && !last) {
      usleep(1000);
      child.DieOfSignals([&] { last = true; });
    }
    return 0;
  };
  EXPECT_EQ(InProcess(wait, [](pid_t pid) { kill(pid, SIGINT); }), 1000 + SIGINT);
}

TEST(ChildTest, WhatIsIgnoredEndsNobody) {
  const auto wait = [](int ready) {
    signal(SIGHUP, SIG_IGN);  // nohup
    Child child;
    kill(getpid(), SIGHUP);
    child.DieOfSignals([] {});
    return write(ready, "x", 1) == 1 ? 5 : 0;
  };
  EXPECT_EQ(InProcess(wait, [](pid_t) {}), 5);
}

}  // namespace
}  // namespace kvbroker::cli
