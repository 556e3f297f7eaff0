// kvctl as a process: what it exits with, what it does to a terminal, and its completion in bash.

#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/testing/fake_broker.h"
#include "common/base/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kKvctl[] = "cli/kvctl";
constexpr char kCursorOn[] = "\x1b[?25h";

struct Outcome {
  int exit_code;
  std::string out;  // standard error included
};

Outcome Shell(const std::string& command) {
  FILE* pipe = popen(absl::StrCat("exec 2>&1; ", command).c_str(), "r");
  std::string out;
  char buffer[4096];
  while (const size_t n = fread(buffer, 1, sizeof(buffer), pipe)) out.append(buffer, n);
  return {WEXITSTATUS(pclose(pipe)), out};
}

// A process that has a terminal of 80 columns for itself.
class OnTerminal {
 public:
  explicit OnTerminal(const std::string& command) {
    winsize size = {.ws_row = 24, .ws_col = 80};
    int fd = -1;
    pid_ = forkpty(&fd, nullptr, nullptr, &size);
    if (pid_ == 0) {
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      _exit(127);
    }
    fd_.Reset(fd);
  }

  void Type(char c) { ASSERT_EQ(write(fd_.get(), &c, 1), 1); }

  void Resize(unsigned short columns) {
    const winsize size = {.ws_row = 24, .ws_col = columns};
    ASSERT_EQ(ioctl(fd_.get(), TIOCSWINSZ, &size), 0);
  }

  // Reads until `text` has come, and returns all that came since the last call.
  std::string ReadUntil(const std::string& text) {
    std::string seen;
    while (seen.find(text) == std::string::npos && ReadSome(seen)) {
    }
    EXPECT_THAT(seen, HasSubstr(text));
    return seen;
  }

  // Reads to the end.
  Outcome Wait() {
    std::string seen;
    while (ReadSome(seen)) {
    }
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    EXPECT_TRUE(WIFEXITED(status));
    return {WEXITSTATUS(status), seen};
  }

 private:
  bool ReadSome(std::string& seen) {
    pollfd poll_fd = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (poll(&poll_fd, 1, 20'000) != 1) {
      ADD_FAILURE() << "nothing more came after: " << seen;
      return false;
    }
    char buffer[4096];
    const ssize_t n = read(fd_.get(), buffer, sizeof(buffer));  // EIO: the other side has closed
    if (n > 0) seen.append(buffer, static_cast<size_t>(n));
    return n > 0;
  }

  pid_t pid_ = -1;
  UniqueFd fd_;
};

class KvctlTest : public ::testing::Test {
 protected:
  std::string Top() const {
    return absl::StrCat("TERM=xterm exec ", kKvctl, " top --interval 50ms --socket ", broker_->socket());
  }

  TempDir dir_;
  std::unique_ptr<FakeBroker> broker_ = std::make_unique<FakeBroker>(dir_.path());
};

TEST_F(KvctlTest, ExitCodesAreZeroOneAndTwo) {
  EXPECT_EQ(Shell(absl::StrCat(kKvctl, " version")).out, "kvctl 0.1.0\n");
  EXPECT_EQ(Shell(absl::StrCat(kKvctl, " status --runtime-dir ", dir_.path())).exit_code, 0);
  EXPECT_EQ(Shell(absl::StrCat(kKvctl, " status --runtime-dir ", dir_.path(), "/none")).exit_code, 1);
  EXPECT_EQ(Shell(absl::StrCat(kKvctl, " limit chat -- -5GiB")).exit_code, 2);
  EXPECT_EQ(Shell(absl::StrCat(kKvctl, " version > /dev/full")).exit_code, 1);
}

TEST_F(KvctlTest, LaunchHasTheExitCodesOfAShell) {
  const std::string launch = absl::StrCat(kKvctl, " launch --room 1G --socket ", broker_->socket(), " -- ");
  const Outcome missing = Shell(launch + "no-such-tool");
  EXPECT_EQ(missing.exit_code, 127);
  EXPECT_EQ(missing.out, "kvctl: no program 'no-such-tool' in $PATH\n");
  EXPECT_EQ(Shell(launch + "/etc/passwd").exit_code, 126);
  const Outcome no_engines = Shell(launch + "true");
  EXPECT_EQ(no_engines.exit_code, 1);
  EXPECT_THAT(no_engines.out, HasSubstr(dir_.path() + "/HOST-demo/engine.sock"));
}

TEST_F(KvctlTest, WritesNoEscapesIntoAPipe) {
  EXPECT_THAT(Shell(absl::StrCat(Top(), " --count 2")).out, Not(HasSubstr("\x1b")));
}

TEST_F(KvctlTest, ControlCGivesTheTerminalBack) {
  OnTerminal kvctl(Top());
  EXPECT_THAT(kvctl.ReadUntil("its own maximum"), HasSubstr("\x1b[32m"));
  kvctl.Type('\x03');
  const Outcome outcome = kvctl.Wait();
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr(kCursorOn));
}

TEST_F(KvctlTest, HonoursNoColor) {
  OnTerminal kvctl("NO_COLOR=1 " + Top() + " --count 1");
  const Outcome outcome = kvctl.Wait();
  EXPECT_THAT(outcome.out, HasSubstr("█"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("\x1b[32m")));
}

TEST_F(KvctlTest, FollowsTheSizeOfTheWindowBetweenSamples) {
  broker_->SendSamples(1, FakeBroker::ThenWatch::kWaits);
  OnTerminal kvctl(Top());
  kvctl.ReadUntil("WANTS MORE");
  kvctl.Resize(40);
  kvctl.ReadUntil("HOST-demo (host memory, 24 GiB): capaci…");
  kvctl.Type('\x03');
  EXPECT_EQ(kvctl.Wait().exit_code, 0);
}

TEST_F(KvctlTest, ABrokerThatGoesIsWaitedForOnAScreen) {
  OnTerminal kvctl(Top());
  kvctl.ReadUntil("its own maximum");
  broker_.reset();
  kvctl.ReadUntil("trying again: the broker at ");
  kvctl.Resize(100);
  broker_ = std::make_unique<FakeBroker>(dir_.path());
  bool well = false;
  for (int frames = 0; frames < 100 && !well; ++frames) {
    well = kvctl.ReadUntil("its own maximum").find("trying again") == std::string::npos;
  }
  EXPECT_TRUE(well);
  kvctl.Type('\x03');
  const Outcome outcome = kvctl.Wait();
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr(kCursorOn));
}

TEST_F(KvctlTest, ABrokerThatGoesEndsWhatIsReadLineByLine) {
  broker_->SendSamples(2, FakeBroker::ThenWatch::kIsGone);
  const Outcome outcome = Shell(absl::StrCat("(", Top(), "); echo exit $?"));
  EXPECT_THAT(outcome.out,
              EndsWith(absl::StrCat("kvctl: the broker at ", broker_->socket(), " has gone away\nexit 1\n")));
}

TEST_F(KvctlTest, BashCompletesCommandsOptionsAndTenants) {
  const auto complete = [&](const std::string& words, int at) {
    return Shell(absl::StrCat("PATH=$PWD/cli:$PATH exec bash -uc 'source <(kvctl completion bash); COMP_WORDS=(kvctl ",
                              words, "); COMP_CWORD=", at, "; _kvctl; echo \"${COMPREPLY[*]}\"'"))
        .out;
  };
  const std::string socket = absl::StrCat("--socket ", broker_->socket());
  EXPECT_EQ(complete("s", 1), "status sessions simulate session\n");
  EXPECT_EQ(complete("top --in", 2), "--interval\n");
  EXPECT_EQ(complete("watch --interval \"\"", 3), "\n");
  EXPECT_EQ(complete("--de", 1), "--device\n");
  EXPECT_EQ(complete(absl::StrCat(socket, " limit ch"), 4), "chat\n");
  EXPECT_EQ(complete(absl::StrCat("limit ", socket, " \"\""), 4), "batch chat\n");
  EXPECT_EQ(complete(absl::StrCat("--runtime-dir = ", dir_.path(), " limit b"), 5), "batch\n");
  EXPECT_EQ(complete("limit chat n", 3), "none\n");
  EXPECT_EQ(complete(absl::StrCat(socket, " tenant b"), 4), "batch\n");
  EXPECT_EQ(complete("tenant chat --cl", 3), "--class\n");
  EXPECT_EQ(complete("tenant chat --class b", 4), "batch best_effort\n");
  EXPECT_EQ(complete("simulate chat --limit \"\"", 4), "none initial\n");
  EXPECT_EQ(complete(absl::StrCat(socket, " why 1"), 4), "1 12\n");
  EXPECT_EQ(complete(absl::StrCat(socket, " launch --tenant ch"), 5), "chat\n");
  EXPECT_EQ(complete("launch --ro", 2), "--room\n");
  EXPECT_EQ(complete("launch --room 1G -- kvctl_t", 5), "kvctl_test\n");
  EXPECT_EQ(complete("launch --room 1G -- kvctl --js", 6), "\n");
  EXPECT_EQ(complete("completion \"\"", 2), "bash zsh fish\n");
  EXPECT_EQ(complete("limit --socket /nonexistent \"\"", 4), "\n");
}

TEST_F(KvctlTest, WhatAReaderLeavesUnreadIsNoError) {
  EXPECT_THAT(Shell(absl::StrCat(Top(), " | head -n 1")).out, StartsWith("12.5 s"));
}

}  // namespace
}  // namespace kvbroker::cli
