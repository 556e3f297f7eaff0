#include "tests/testing/broker_process.h"

#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"

namespace kvbroker {

TempDir::TempDir() {
  char name[] = "/tmp/kvbXXXXXX";
  path_ = mkdtemp(name);
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string DataPath(const std::string& path) {
  const char* root = std::getenv("TEST_SRCDIR");
  return std::string(root == nullptr ? "." : root) + "/kvbroker/" + path;
}

std::unique_ptr<BrokerProcess> BrokerProcess::Start(const std::vector<std::string>& arguments,
                                                    const std::string& device, const std::string& program) {
  std::unique_ptr<BrokerProcess> process(new BrokerProcess);
  process->arguments_ = {program.empty() ? DataPath("broker/kvbrokerd") : program, "--device", device, "--runtime-dir",
                         process->dir_.path()};
  process->arguments_.insert(process->arguments_.end(), arguments.begin(), arguments.end());
  process->Spawn();
  return process;
}

void BrokerProcess::Spawn() {
  std::vector<char*> argv;
  for (std::string& argument : arguments_) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const std::string log_path = dir_.path() + "/log";
  pid_ = fork();
  if (pid_ == 0) {
    const int log = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    dup2(log, STDERR_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  const size_t seen = log().size();
  Eventually(absl::Seconds(10), [&] { return absl::StrContains(log().substr(seen), " ready ") || !running(); });
}

BrokerProcess::~BrokerProcess() {
  if (pid_ > 0) {
    Kill(SIGTERM);
    Wait();
  }
  if (std::getenv("KVBROKER_TEST_SHOW_LOG") != nullptr) std::fprintf(stderr, "%s", log().c_str());
}

bool BrokerProcess::running() {
  if (pid_ <= 0) return false;
  siginfo_t info = {};
  waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  return info.si_pid == 0;
}

void BrokerProcess::Kill(int signal) { kill(pid_, signal); }

int BrokerProcess::Wait() {
  int status = 0;
  waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void BrokerProcess::Restart() { Spawn(); }

std::string BrokerProcess::log() const {
  std::stringstream text;
  text << std::ifstream(dir_.path() + "/log").rdbuf();
  return text.str();
}

std::unique_ptr<admin::v1::Admin::Stub> BrokerProcess::Admin() const {
  return admin::v1::Admin::NewStub(grpc::CreateChannel("unix:" + admin_socket(), grpc::InsecureChannelCredentials()));
}

absl::StatusOr<admin::v1::Status> BrokerProcess::Status() {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  admin::v1::Status status;
  const grpc::Status asked = Admin()->GetStatus(&context, {}, &status);
  if (!asked.ok()) return absl::Status(static_cast<absl::StatusCode>(asked.error_code()), asked.error_message());
  return status;
}

absl::StatusOr<std::vector<admin::v1::Session>> BrokerProcess::Sessions() {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  admin::v1::ListSessionsResponse response;
  const grpc::Status asked = Admin()->ListSessions(&context, {}, &response);
  if (!asked.ok()) return absl::UnavailableError(asked.error_message());
  return std::vector<admin::v1::Session>(response.sessions().begin(), response.sessions().end());
}

grpc::Status BrokerProcess::SetTenant(const std::function<void(admin::v1::SetTenantRequest&)>& fill) {
  admin::v1::SetTenantRequest request;
  fill(request);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  admin::v1::SetTenantResponse response;
  return Admin()->SetTenant(&context, request, &response);
}

bool BrokerProcess::AccountsAreRight(size_t serving) {
  const absl::StatusOr<admin::v1::Status> status = Status();
  const absl::StatusOr<std::vector<admin::v1::Session>> sessions = Sessions();
  if (!status.ok() || !sessions.ok()) return false;
  uint64_t granted = 0;
  for (const admin::v1::Session& session : *sessions) {
    if (session.state() != "active") return false;
    granted += session.granted();
  }
  const admin::v1::Memory& memory = status->memory();
  return sessions->size() == serving && granted == memory.granted() &&
         memory.total() - memory.driver_free() == memory.granted();
}

std::string BrokerProcess::Accounts() {
  std::string text;
  if (const auto status = Status(); status.ok()) text = status->memory().ShortDebugString();
  if (const auto sessions = Sessions(); sessions.ok()) {
    for (const admin::v1::Session& session : *sessions) text += "\n" + session.ShortDebugString();
  }
  return text + "\n" + log();
}

bool BrokerProcess::NothingIsOut() {
  const absl::StatusOr<admin::v1::Status> status = Status();
  return status.ok() && status->sessions() == 0 && status->memory().granted() == 0;
}

bool BrokerProcess::BecomesIdle(absl::Duration timeout) {
  return Eventually(timeout, [&] {
    const absl::StatusOr<admin::v1::Status> status = Status();
    return NothingIsOut() && status.ok() && status->memory().driver_free() == status->memory().total();
  });
}

}  // namespace kvbroker
