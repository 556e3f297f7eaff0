#ifndef KVBROKER_TESTS_TESTING_BROKER_PROCESS_H_
#define KVBROKER_TESTS_TESTING_BROKER_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/admin.grpc.pb.h"

namespace kvbroker {

// A folder under /tmp with a short name, as sockets need, that goes away with its object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A real kvbrokerd in a runtime directory of its own, with its log kept. Ends with its object.
class BrokerProcess {
 public:
  // Starts it with these arguments besides the device's and the directory's, and waits until it is ready. An empty program:
  // the one that was built with the test.
  static std::unique_ptr<BrokerProcess> Start(const std::vector<std::string>& arguments,
                                              const std::string& device = "host", const std::string& program = "");
  ~BrokerProcess();

  pid_t pid() const { return pid_; }
  const std::string& runtime_dir() const { return dir_.path(); }
  std::string engine_socket() const { return dir_.path() + "/gpu0/engine.sock"; }
  std::string admin_socket() const { return dir_.path() + "/gpu0/admin/admin.sock"; }

  bool running();
  void Kill(int signal);
  // The exit code, or 128 plus the signal; waits for the end.
  int Wait();
  // Starts it again in the same directory, with the same arguments.
  void Restart();
  std::string log() const;

  std::unique_ptr<admin::v1::Admin::Stub> Admin() const;
  // What the broker says of itself.
  absl::StatusOr<admin::v1::Status> Status();
  absl::StatusOr<std::vector<admin::v1::Session>> Sessions();
  // Sets a tenant's policy, as `fill` says, within 5 s.
  grpc::Status SetTenant(const std::function<void(admin::v1::SetTenantRequest&)>& fill);
  // So many sessions serve, what is on their accounts is all that is granted, and that is what the device has in use.
  bool AccountsAreRight(size_t serving);
  // For a test that fails: the same in words, and the log.
  std::string Accounts();
  // It has nothing out and no session.
  bool NothingIsOut();
  // Whether that is so within `timeout`, and all of the device is free.
  bool BecomesIdle(absl::Duration timeout);

 private:
  BrokerProcess() = default;
  void Spawn();

  TempDir dir_;
  std::vector<std::string> arguments_;
  pid_t pid_ = -1;
};

// The path of a file that the test has as data, by its path in the project.
std::string DataPath(const std::string& path);

// Asks again and again until `holds()`; false where it does not within `timeout`.
template <typename Condition>
bool Eventually(absl::Duration timeout, Condition holds);

}  // namespace kvbroker

#include "absl/time/clock.h"

namespace kvbroker {

template <typename Condition>
bool Eventually(absl::Duration timeout, Condition holds) {
  const absl::Time deadline = absl::Now() + timeout;
  while (!holds()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

}  // namespace kvbroker

#endif  // KVBROKER_TESTS_TESTING_BROKER_PROCESS_H_
