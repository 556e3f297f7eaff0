#ifndef KVBROKER_TESTS_TESTING_CLIENT_PROCESS_H_
#define KVBROKER_TESTS_TESTING_CLIENT_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace kvbroker {

// A client in a process of its own, that of the test's own program: it takes so many slots of 2 MiB, writes to all of them,
// and waits for its end. The program's main() begins with
//
//   if (const std::optional<int> client = RunAsClientProcess(argc, argv)) return *client;
class ClientProcess {
 public:
  // Waits until it has them all.
  ClientProcess(const std::string& socket, uint64_t slots);
  ~ClientProcess() { Kill(); }
  ClientProcess(const ClientProcess&) = delete;
  ClientProcess& operator=(const ClientProcess&) = delete;

  bool ready() const { return ready_; }
  pid_t pid() const { return pid_; }
  // By SIGKILL; waits for its end.
  void Kill();

 private:
  pid_t pid_;
  bool ready_ = false;
};

// The exit code of a client's process; none: this is the test itself.
std::optional<int> RunAsClientProcess(int argc, char** argv);

}  // namespace kvbroker

#endif  // KVBROKER_TESTS_TESTING_CLIENT_PROCESS_H_
