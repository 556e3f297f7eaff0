#ifndef KVBROKER_TESTS_REPLAY_OPTIONS_H_
#define KVBROKER_TESTS_REPLAY_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/bytes.h"
#include "tests/replay/block_pool.h"
#include "tests/replay/engine.h"
#include "tests/replay/give_back.h"
#include "tests/replay/load.h"

namespace kvbroker::replay {

// A trace file and whose it is.
struct TraceSource {
  std::string tenant;  // empty: dealt out among the tenants without one of their own
  std::string path;
  std::string model;  // only this model's rows; empty: all
};

// How one tenant treats its neighbours.
struct TenantOptions {
  bool keep_cache = false;         // blocks of requests that are done stay, until something else needs them
  std::optional<Bytes> cache_max;  // no more of them than this
  AnswerOptions answer;
  Bytes floor;  // what it says that one longest request needs; 0: nothing is said
};

// All that the command line says. Sizes and times are checked.
struct Options {
  std::vector<std::string> tenants = {"a", "b", "c"};
  std::vector<TenantOptions> of_tenant = std::vector<TenantOptions>(3);  // in the same order

  // Where the broker is; see SessionOptions.
  std::string socket;
  std::string runtime_dir;
  std::string device;
  std::string admin_socket;  // empty: beside the engines'

  // What is reserved and how it is cut.
  std::string model = "llama-3.1-8b";  // empty: only its bytes a token are known
  Bytes bytes_per_token;
  uint64_t block_tokens = 16;
  Bytes slot = MiB(32);
  Bytes reserve = GiB(60);
  uint64_t low = 2;
  uint64_t high = 8;
  uint64_t ahead = 0;

  // What is asked of it.
  LoadOptions load;
  std::vector<TraceSource> traces;  // none: `load`
  double time_scale = 1;            // traces run so many times as fast
  std::optional<absl::Duration> duration;
  uint64_t max_requests = 0;  // a tenant's; 0: all

  EngineOptions engine;
  absl::Duration step_time = absl::Milliseconds(25);
  absl::Duration drain = absl::Seconds(120);  // after the last arrival

  absl::Duration sample_interval = absl::Milliseconds(100);
  bool broker_restarts = false;
  std::string json;
  std::string svg;
  bool dry_run = false;
  bool quiet = false;

  // Set where this process is one tenant's, started by the coordinator.
  std::optional<size_t> run_as;
  int channel = -1;  // its socket to the coordinator

  uint64_t arena_slots() const { return reserve / slot; }
  absl::StatusOr<BlockLayout> layout() const { return BlockLayout::Create(bytes_per_token, block_tokens, slot); }
};

// What the command line came to: options, or an exit code where it asked for help or was wrong (and that was printed).
struct CommandLine {
  std::optional<Options> options;
  int exit_code = 0;
};
CommandLine ParseCommandLine(int argc, const char* const* argv);

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_OPTIONS_H_
