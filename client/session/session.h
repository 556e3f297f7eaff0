#ifndef KVBROKER_CLIENT_SESSION_SESSION_H_
#define KVBROKER_CLIENT_SESSION_SESSION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/arena/arena.h"
#include "client/session/event_queue.h"
#include "common/base/bytes.h"
#include "common/device/device.h"

namespace kvbroker {

struct SessionOptions {
  std::string tenant;
  std::string instance;  // empty: this session alone
  std::string engine;    // for people: "vllm 0.26.0"

  // The broker's engine socket. Empty: that of `device_uuid` under `runtime_dir`; where that is empty too, the only
  // broker there.
  std::string socket;
  std::string runtime_dir;  // empty: $KVBROKER_RUNTIME_DIR, or /run/kvbroker
  std::string device_uuid;

  // The device to map on. Null: opened by what the broker says it owns. Not owned; must outlive the session.
  Device* device = nullptr;
};

// One client process's connection for one tenant. It keeps its arenas filled and within the broker's target in one
// background thread, and survives the broker: while that is away, arenas keep what they hold.
//
// In a forked child the session is dead: every call returns FAILED_PRECONDITION, nothing is sent, nothing unmapped.
//
// Thread-safe. Destroying it waits for the background thread and says goodbye; its arenas must be destroyed before.
class Session {
 public:
  struct Info {
    uint64_t session_id = 0;
    uint64_t epoch = 0;
    bool connected = false;
    std::string device_uuid;
    std::string device_kind;
    Bytes granularity;
    Bytes capacity;               // the broker's, when the session was opened
    std::optional<Bytes> limit;   // the tenant's, when the session was opened
    std::optional<Bytes> target;  // the newest; none: no bound
  };

  // Connects to the broker. NOT_FOUND: no broker is there, and how to start one; the broker's own refusal as it is
  // (NOT_FOUND: unknown tenant; UNAUTHENTICATED; RESOURCE_EXHAUSTED).
  static absl::StatusOr<std::unique_ptr<Session>> Open(const SessionOptions& options);

  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Reserves addresses; maps nothing yet. INVALID_ARGUMENT names what cannot be.
  absl::StatusOr<std::unique_ptr<Arena>> CreateArena(const ArenaOptions& options);

  Info info() const;
  Device& device() const;

  // Readable when NextEvent() has something. For poll() and friends; the session owns it.
  int event_fd() const;
  // The oldest event not yet asked for. Events of one kind and arena are merged: the newest counts.
  std::optional<SessionEvent> NextEvent();

 private:
  class Impl;
  explicit Session(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace kvbroker

#endif  // KVBROKER_CLIENT_SESSION_SESSION_H_
