// kvbrokerd, with an end or a fault planted, for fault_matrix_test. In the environment:
//
//   KVB_AT=N          the Nth moment between two effects of the broker's steps, counted from 1; then
//   KVB_THEN=die        it ends there and then (exit code 42)
//   KVB_THEN=kill FILE  it ends the process whose number is in the file by SIGKILL and takes the file away, if there is one
//   KVB_FAIL=CALL:N   its device's Nth call of that name fails: memory, create, export, release; lost: the Nth look at its
//                     memory finds that it is lost

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "broker/daemon.h"
#include "common/device/fault_device.h"

namespace kvbroker {
namespace {

constexpr int kDied = 42;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

[[noreturn]] void Refuse(const std::string& what) {
  std::cerr << "mortal_kvbrokerd: " << what << " is not understood\n";
  _exit(2);
}

void PlantEnd(Seams& seams) {
  int64_t at = 0;
  const std::string text = Environment("KVB_AT");
  if (text.empty()) return;
  if (!absl::SimpleAtoi(text, &at)) Refuse(text);
  const std::string then = Environment("KVB_THEN");
  absl::string_view file = then;
  if (!absl::ConsumePrefix(&file, "kill ") && then != "die") Refuse(then);
  seams.at_effect = [at, dies = then == "die", file = std::string(file), count = int64_t{0}]() mutable {
    if (++count != at) return;
    if (dies) _exit(kDied);
    pid_t victim = 0;
    if (!(std::ifstream(file) >> victim)) return;
    kill(victim, SIGKILL);
    std::filesystem::remove(file);
  };
}

void PlantFault(Seams& seams) {
  const std::string text = Environment("KVB_FAIL");
  if (text.empty()) return;
  static const auto* const calls = new std::map<std::string, DeviceCall>{{"memory", DeviceCall::kMemory},
                                                                         {"lost", DeviceCall::kMemory},
                                                                         {"create", DeviceCall::kCreate},
                                                                         {"export", DeviceCall::kExport},
                                                                         {"release", DeviceCall::kRelease}};
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, ':');
  const auto call = calls->find(parts.first);
  int number = 0;
  if (call == calls->end() || !absl::SimpleAtoi(parts.second, &number) || number < 1) Refuse(text);
  const absl::Status error = call->first == "lost" ? absl::DataLossError("planted") : absl::UnavailableError("planted");
  seams.device = [call = call->second, number, error](Device& real) -> Device& {
    static FaultDevice* device = nullptr;  // outlives the broker's threads
    device = new FaultDevice(real);
    device->FailNext(call, error, number - 1);
    return *device;
  };
}

}  // namespace
}  // namespace kvbroker

int main(int argc, char** argv) {
  kvbroker::Seams seams;
  kvbroker::PlantEnd(seams);
  kvbroker::PlantFault(seams);
  return kvbroker::RunDaemon(argc, argv, seams);
}
