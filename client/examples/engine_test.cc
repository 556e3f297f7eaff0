// The example of docs/embedding.md does what the page says, with a real broker on the host device; and the page shows it as it is.

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/testing/broker_process.h"

namespace {

using kvbroker::BrokerProcess;
using kvbroker::DataPath;
using kvbroker::Eventually;
using kvbroker::TempDir;

constexpr uint64_t kMiB = 1 << 20;
constexpr absl::Duration kSoon = absl::Seconds(10);

std::string Read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// The program, for tenant chat, as long as its standard input is open.
class Engine {
 public:
  explicit Engine(const std::string& runtime_dir) {
    const std::string command = absl::StrCat("KVBROKER_RUNTIME_DIR='", runtime_dir, "' exec '",
                                             DataPath("client/examples/engine"), "' chat >'", output_path(), "' 2>&1");
    input_ = popen(command.c_str(), "we");
  }
  ~Engine() { End(); }

  // Its exit code.
  int End() {
    if (input_ == nullptr) return -1;
    const int status = pclose(input_);
    input_ = nullptr;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string output() const { return Read(output_path()); }
  // Whether it says this soon, after what it has said when it was asked last.
  bool Says(const std::string& line) {
    return Eventually(kSoon, [&] {
      const size_t at = output().find(line + "\n", seen_);
      if (at == std::string::npos) return false;
      seen_ = at + line.size();
      return true;
    });
  }

 private:
  std::string output_path() const { return dir_.path() + "/output"; }

  const TempDir dir_;
  FILE* input_ = nullptr;
  size_t seen_ = 0;
};

class EngineTest : public ::testing::Test {
 protected:
  void SetLimit(uint64_t bytes) {
    const grpc::Status set = broker_->SetTenant([&](kvbroker::admin::v1::SetTenantRequest& request) {
      request.set_tenant("chat");
      request.mutable_limit()->set_bytes(bytes);
    });
    EXPECT_TRUE(set.ok()) << set.error_message();
  }

  const std::unique_ptr<BrokerProcess> broker_ =
      BrokerProcess::Start({"--host-memory", "128MiB", "--tenant", "chat=none"});
};

TEST_F(EngineTest, GrowsGivesBackWhatItIsAskedForAndLeavesNothing) {
  Engine engine(broker_->runtime_dir());
  ASSERT_TRUE(engine.Says("grew to 12 slots")) << engine.output();
  SetLimit(16 * kMiB);
  EXPECT_TRUE(engine.Says("shrank to 4 slots")) << engine.output();
  EXPECT_TRUE(Eventually(kSoon, [&] { return broker_->Status()->memory().granted() <= 16 * kMiB; }));
  SetLimit(128 * kMiB);
  EXPECT_TRUE(engine.Says("grew to 12 slots")) << engine.output();
  EXPECT_EQ(engine.End(), 0);
  EXPECT_TRUE(engine.Says("12 slots hold what was written to them")) << engine.output();
  EXPECT_TRUE(broker_->BecomesIdle(kSoon)) << broker_->Accounts();
}

TEST_F(EngineTest, ServesOnWithoutItsBroker) {
  Engine engine(broker_->runtime_dir());
  ASSERT_TRUE(engine.Says("grew to 12 slots")) << engine.output();
  broker_->Kill(SIGKILL);
  broker_->Wait();
  EXPECT_TRUE(engine.Says("the broker is away")) << engine.output();
  broker_->Restart();
  EXPECT_TRUE(engine.Says("the broker is back")) << engine.output();
  SetLimit(16 * kMiB);
  EXPECT_TRUE(engine.Says("shrank to 4 slots")) << engine.output();
  EXPECT_EQ(engine.End(), 0);
  EXPECT_TRUE(broker_->BecomesIdle(kSoon)) << broker_->Accounts();
}

TEST_F(EngineTest, SaysWhatToDoWhereThereIsNoBroker) {
  const TempDir nobody;
  Engine engine(nobody.path());
  EXPECT_EQ(engine.End(), 1);
  EXPECT_TRUE(absl::StrContains(engine.output(), "start one with kvbrokerd")) << engine.output();
}

// Each block of the page that begins with "```c engine.c" is in the file as it stands; all of them, with an empty line from one to
// the next, are the file.
TEST(EmbeddingPageTest, ShowsTheWholeExampleAsItIs) {
  const std::string fence = "```c engine.c\n";
  const std::string page = Read(DataPath("docs/embedding.md"));
  const std::string file = Read(DataPath("client/examples/engine.c"));
  std::map<size_t, std::string> blocks;  // by where they are in the file
  for (size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at)) {
    at += fence.size();
    const std::string block = page.substr(at, page.find("```\n", at) - at);
    const size_t place = file.find(block);
    ASSERT_NE(place, std::string::npos) << block;
    blocks[place] = block;
  }
  std::string shown;
  for (const auto& [place, block] : blocks) absl::StrAppend(&shown, shown.empty() ? "" : "\n", block);
  EXPECT_EQ(shown, file);
}

}  // namespace
