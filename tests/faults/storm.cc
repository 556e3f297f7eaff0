// Kills clients at random, and the broker now and then, while all of them are at work; and sees that nothing is lost, nobody
// else notices, and the broker does not grow.
//
//   $ bazel run -c opt //tests/faults:storm -- --client-kills 1000 --broker-kills 50
//   $ storm --memory 2GiB --beside 'replay --broker-restarts --tenants chat,jobs --pattern poisson ...'
//   $ ./storm --device cuda:0 --kvbrokerd ./kvbrokerd --client-kills 50 --broker-kills 10 --slots 10000 --pause-ms 2000
//
// Exit codes: 0 all holds, 1 something does not (it says what), 2 usage.

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "client/arena/arena.h"
#include "client/session/session.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/base/unique_fd.h"
#include "tests/faults/storm_client.h"
#include "tests/testing/broker_process.h"

namespace kvbroker {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(10);
constexpr absl::Duration kLong = absl::Minutes(10);
constexpr absl::Duration kGrantsAgainWithin = absl::Seconds(2);
constexpr absl::Duration kToBegin = absl::Seconds(3);
constexpr size_t kClients = 4;
// What it asks the broker at the end takes some of both, and a process that has worked is larger than one that has not.
constexpr size_t kOwnConnections = 4;
constexpr uint64_t kOwnMemoryKib = 12 << 10;
constexpr char kAsClient[] = "as-client";
constexpr char kAsProbe[] = "as-probe";
constexpr const char* kTenants[] = {"a", "b", "c"};

struct Flags {
  uint64_t client_kills = 1000;
  uint64_t broker_kills = 50;
  uint64_t slots = 0;
  uint64_t pause_ms = 30;
  uint64_t seed = 1;
  std::string device = "host";
  std::string kvbrokerd;
  std::string memory = "256MiB";
  std::string beside;
};

// What a process has open, and what of it is in memory.
struct Size {
  size_t descriptors = 0;
  uint64_t resident_kib = 0;
};
Size SizeOf(pid_t pid) {
  Size size;
  std::error_code gone;
  const std::filesystem::directory_iterator fds(absl::StrCat("/proc/", pid, "/fd"), gone);
  size.descriptors = static_cast<size_t>(std::distance(begin(fds), end(fds)));
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    const std::vector<std::string> words = absl::StrSplit(line, absl::ByAnyChar("\t "), absl::SkipEmpty());
    if (words.size() > 1 && words[0] == "VmRSS:") [[maybe_unused]]
      const bool is_number = absl::SimpleAtoi(words[1], &size.resident_kib);
  }
  return size;
}

StormTally* MapTallies(int fd) {
  void* const shared = mmap(nullptr, sizeof(StormTally) * kClients, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  KVB_CHECK(shared != MAP_FAILED, "memory for the tallies");
  return static_cast<StormTally*>(shared);
}

// Comes anew, waits for a slot, and ends without taking leave, which takes time as well.
[[noreturn]] void Probe(const std::string& socket) {
  std::unique_ptr<Session> session;
  std::unique_ptr<Arena> arena;
  const auto ask = [&]() -> absl::Status {
    KVB_ASSIGN_OR_RETURN(session, Session::Open({.tenant = "probe", .engine = "storm", .socket = socket}));
    KVB_ASSIGN_OR_RETURN(arena, session->CreateArena({.planes = {MiB(2)}, .slots = 1, .low = 0}));
    KVB_RETURN_IF_ERROR(arena->SetWant(1));
    return arena->WaitReady(1, kSoon);
  };
  const absl::Status granted = ask();
  if (!granted.ok()) std::fprintf(stderr, "somebody who came anew: %s\n", granted.ToString().c_str());
  _exit(granted.ok() ? 0 : 1);
}

class Storm {
 public:
  explicit Storm(const Flags& flags)
      : flags_(flags),
        random_(flags.seed),
        broker_(BrokerProcess::Start({flags.device == "host" ? "--host-memory" : "--capacity", flags.memory},
                                     flags.device, flags.kvbrokerd)) {
    KVB_CHECK(ftruncate(tally_fd_.get(), sizeof(StormTally) * kClients) == 0, "memory for the tallies");
    tallies_ = MapTallies(tally_fd_.get());
    for (size_t i = 0; i < kClients; ++i) new (&tallies_[i]) StormTally;
  }
  ~Storm() {
    for (const pid_t client : clients_) End(client);
  }

  // False: something does not hold.
  bool Run() {
    fresh_ = SizeOf(broker_->pid());
    const Bytes free_before = Free();
    const pid_t beside = flags_.beside.empty() ? 0 : Begin(flags_.beside);
    for (size_t i = 0; i < kClients; ++i) clients_.push_back(Spawn(i));
    const uint64_t kills = flags_.client_kills + flags_.broker_kills;
    uint64_t brokers = 0;
    for (uint64_t kill = 1; kill <= kills; ++kill) {
      absl::SleepFor(absl::Milliseconds(static_cast<int64_t>(random_() % (flags_.pause_ms + 1))));
      if (brokers < kill * flags_.broker_kills / kills) {
        ++brokers;
        KillBroker();
      } else {
        const size_t victim = random_() % kClients;
        End(clients_[victim]);
        clients_[victim] = Spawn(victim);
      }
      if (kill % 100 == 0 || kill == kills) {
        std::fprintf(stderr, "\r%4lu of %lu killed, %lu of them brokers", kill, kills, brokers);
      }
    }
    std::fprintf(stderr, "\n");
    if (beside != 0) Expect(EndsWell(beside), absl::StrCat("what ran beside failed: ", flags_.beside));
    Expect(Eventually(kLong, [&] { return Slots() >= flags_.slots; }), "so many slots were not handed over");
    for (const pid_t client : clients_) End(client);
    clients_.clear();
    Expect(Eventually(kSoon, [&] { return broker_->NothingIsOut(); }), "memory is still granted, and nobody lives");
    // A GPU's driver may show it a little later.
    Expect(Eventually(kSoon, [&] { return Free() >= free_before; }),
           absl::StrCat(ToString(free_before), " of the device were free before, now ", ToString(Free())));
    Report();
    return wrong_.empty();
  }

 private:
  pid_t Spawn(size_t index) {
    const uint64_t seed = random_();
    return StartSelf({kAsClient, broker_->engine_socket(), kTenants[seed % std::size(kTenants)], absl::StrCat(seed),
                      absl::StrCat(tally_fd_.get()), absl::StrCat(index)});
  }

  // This program again: gRPC does not outlive a fork.
  pid_t StartSelf(const std::vector<std::string>& arguments) const {
    std::vector<char*> argv = {const_cast<char*>("storm")};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const pid_t pid = fork();
    if (pid == 0) {
      fcntl(tally_fd_.get(), F_SETFD, 0);  // it is the client's, and nobody else's
      execv("/proc/self/exe", argv.data());
      _exit(127);
    }
    return pid;
  }

  pid_t Begin(const std::string& command) const {
    setenv("KVBROKER_RUNTIME_DIR", broker_->runtime_dir().c_str(), 1);
    const pid_t pid = fork();
    if (pid == 0) {
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      _exit(127);
    }
    absl::SleepFor(kToBegin);
    return pid;
  }

  static bool EndsWell(pid_t pid) {
    int status = 1;
    waitpid(pid, &status, 0);
    return status == 0;
  }

  static void End(pid_t client) {
    kill(client, SIGKILL);
    waitpid(client, nullptr, 0);
  }

  void KillBroker() {
    broker_->Kill(SIGKILL);
    broker_->Wait();
    const absl::Time started = absl::Now();
    broker_->Restart();
    const absl::Duration took = UntilAGrant(started);
    longest_restart_ = std::max(longest_restart_, took);
    if (took <= kGrantsAgainWithin) return;
    Expect(false, absl::StrCat("a new broker granted nothing for ", absl::FormatDuration(took)));
    std::fprintf(stderr, "%s\nits log:\n%s\n", broker_->Accounts().c_str(), broker_->log().c_str());
  }

  // From then to the moment where somebody who comes anew has a slot.
  absl::Duration UntilAGrant(absl::Time since) {
    const pid_t pid = StartSelf({kAsProbe, broker_->engine_socket()});
    int status = 1;
    waitpid(pid, &status, 0);
    return status == 0 ? absl::Now() - since : absl::InfiniteDuration();
  }

  Bytes Free() const {
    const absl::StatusOr<admin::v1::Status> status = broker_->Status();
    return status.ok() ? Bytes(status->memory().driver_free()) : Bytes();
  }

  uint64_t Slots() const {
    return std::accumulate(tallies_, tallies_ + kClients, uint64_t{0},
                           [](uint64_t sum, const StormTally& tally) { return sum + tally.slots; });
  }

  void Expect(bool holds, const std::string& what) {
    if (!holds) wrong_.push_back(what);
  }

  void Report() {
    const uint64_t slots = Slots();
    uint64_t not_zero = 0;
    uint64_t not_kept = 0;
    uint64_t longest_wait_us = 0;
    for (size_t i = 0; i < kClients; ++i) {
      not_zero += tallies_[i].not_zero;
      not_kept += tallies_[i].not_kept;
      longest_wait_us = std::max<uint64_t>(longest_wait_us, tallies_[i].longest_wait_us);
    }
    const Size late = SizeOf(broker_->pid());
    Expect(slots > 0, "nobody was given anything");
    Expect(not_zero == 0, absl::StrCat(not_zero, " slots had something in them"));
    Expect(not_kept == 0, absl::StrCat(not_kept, " slots did not keep what was written"));
    Expect(late.descriptors <= fresh_.descriptors + kOwnConnections,
           absl::StrCat("the broker has ", late.descriptors, " descriptors open, and began with ", fresh_.descriptors));
    Expect(late.resident_kib <= fresh_.resident_kib + kOwnMemoryKib,
           absl::StrCat("the broker has grown to ", late.resident_kib, " KiB, from ", fresh_.resident_kib));
    const auto line = [](const char* what, const std::string& how_much) {
      std::printf("%-46s %s\n", what, how_much.c_str());
    };
    line("clients killed", absl::StrCat(flags_.client_kills));
    line("brokers killed", absl::StrCat(flags_.broker_kills));
    line("slots handed over and read", absl::StrCat(slots));
    line("  of which not zero, not kept", absl::StrCat(not_zero, ", ", not_kept));
    line("longest from a broker's start to a new grant", absl::FormatDuration(longest_restart_));
    line("longest wait for a slot that came", absl::FormatDuration(absl::Microseconds(longest_wait_us)));
    line("the broker's descriptors, fresh and at the end", absl::StrCat(fresh_.descriptors, ", ", late.descriptors));
    line("its resident memory", absl::StrFormat("%.1f MiB, %.1f MiB", static_cast<double>(fresh_.resident_kib) / 1024,
                                                static_cast<double>(late.resident_kib) / 1024));
    for (const std::string& wrong : wrong_) line("DOES NOT HOLD", wrong);
    if (wrong_.empty()) line("all holds", "");
  }

  const Flags flags_;
  std::mt19937_64 random_;
  const std::unique_ptr<BrokerProcess> broker_;
  const UniqueFd tally_fd_{memfd_create("tallies", MFD_CLOEXEC)};
  StormTally* tallies_;  // shared with the clients
  std::vector<pid_t> clients_;
  Size fresh_;
  absl::Duration longest_restart_;
  std::vector<std::string> wrong_;
};

// What this program does when the storm starts it; none: it is the storm.
std::optional<int> RunAsOther(int argc, char** argv) {
  if (argc == 3 && argv[1] == absl::string_view(kAsProbe)) Probe(argv[2]);
  if (argc != 7 || argv[1] != absl::string_view(kAsClient)) return std::nullopt;
  uint64_t seed = 0;
  int tally_fd = -1;
  size_t index = 0;
  if (!absl::SimpleAtoi(argv[4], &seed) || !absl::SimpleAtoi(argv[5], &tally_fd) ||
      !absl::SimpleAtoi(argv[6], &index)) {
    return 2;
  }
  RunStormClient(argv[2], argv[3], seed, MapTallies(tally_fd)[index]);
}

int Main(int argc, char** argv) {
  CLI::App app("Kills clients and brokers at random, and sees that nothing is lost.", "storm");
  Flags flags;
  app.add_option("--client-kills", flags.client_kills, "Default 1000");
  app.add_option("--broker-kills", flags.broker_kills, "Default 50");
  app.add_option("--slots", flags.slots, "Go on until so many were handed over, at most 10 minutes; default 0");
  app.add_option("--pause-ms", flags.pause_ms,
                 "Between two kills, at most; default 30. A client of a GPU begins slowly: 2000");
  app.add_option("--seed", flags.seed, "Default 1");
  app.add_option("--device", flags.device, "As of kvbrokerd; default host");
  app.add_option("--kvbrokerd", flags.kvbrokerd, "The broker's program; default the one that was built with this");
  app.add_option(
      "--beside", flags.beside,
      "A shell's command that has to end well though all of this goes on: other clients of the same broker, which "
      "KVBROKER_RUNTIME_DIR names. It has 3 s to begin in");
  app.add_option("--memory", flags.memory, "That the broker lends; default 256MiB");
  CLI11_PARSE(app, argc, argv);
  return Storm(flags).Run() ? 0 : 1;
}

}  // namespace
}  // namespace kvbroker

int main(int argc, char** argv) {
  if (const std::optional<int> other = kvbroker::RunAsOther(argc, argv)) return *other;
  return kvbroker::Main(argc, argv);
}
