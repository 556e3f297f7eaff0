#ifndef KVBROKER_CLIENT_SESSION_SESSION_H_
#define KVBROKER_CLIENT_SESSION_SESSION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
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

  // A session that reserves room and never creates arenas: no device is opened, and so no context is made on a GPU.
  bool room_only = false;

  // What one longest request needs: the least that the tenant can make progress with. Zero: unknown.
  Bytes progress_floor;
};

// How much a session is in use.
enum class SessionMode {
  kActive,
  kIdle,    // serves nothing now, and answers when it is asked to
  kAsleep,  // its memory may go
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
    int device_ordinal = 0;  // among the GPUs that this process sees, as CUDA counts them
    Bytes granularity;
    Bytes capacity;               // the broker's, when the session was opened
    std::optional<Bytes> limit;   // the tenant's, as the broker said last
    std::optional<Bytes> target;  // the newest; none: no bound
    // What is left of the time to get below the target, zero where it is over. Infinite: no deadline.
    absl::Duration target_within = absl::InfiniteDuration();
    // As the newest target said: see SessionEvent.
    absl::Duration eviction_age = absl::InfiniteDuration();
  };

  // Connects to the broker. NOT_FOUND: no broker is there, and how to start one; the broker's own refusal as it is
  // (NOT_FOUND: unknown tenant; UNAUTHENTICATED; RESOURCE_EXHAUSTED).
  static absl::StatusOr<std::unique_ptr<Session>> Open(const SessionOptions& options);

  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Reserves addresses; maps nothing yet. INVALID_ARGUMENT names what cannot be. FAILED_PRECONDITION: the session is for
  // room only.
  absl::StatusOr<std::unique_ptr<Arena>> CreateArena(const ArenaOptions& options);

  // Asks for `bytes` of the device for memory that is not the broker's (weights, graphs), and waits until they are free
  // and held back from everybody else. To be called before such memory is allocated, and followed by SettleRoom. `ttl`
  // after it is ready the room is settled by itself, as it is then; zero: at the session's end. Where the broker goes
  // away meanwhile, an unsettled room is asked for again when it is back.
  //
  // INVALID_ARGUMENT: 0 bytes, or a negative ttl. FAILED_PRECONDITION: a room is asked for, or not settled: a session has
  // one at a time. DEADLINE_EXCEEDED: it was not ready within `timeout`, and is given up. UNAVAILABLE: the broker is
  // away, or went away meanwhile. Else the broker's own refusal (RESOURCE_EXHAUSTED: so much can never be free). With an
  // error there is no room.
  absl::Status ReserveRoom(Bytes bytes, absl::Duration timeout, absl::Duration ttl = absl::ZeroDuration());

  // The memory is allocated and took `actual`, or is not needed any more (zero): what is left of the room is everybody's
  // again. Does not wait. FAILED_PRECONDITION: no room is ready, or it was settled by itself.
  absl::Status SettleRoom(Bytes actual);

  // Tells the broker how much the session is in use; active until it is said otherwise. The newest call counts. Does not
  // wait.
  absl::Status SetMode(SessionMode mode);

  // Tells the broker what this process has of the device outside its arenas, `trimmable` of which it only keeps and could let
  // go of when it hears kTrim. For people, and to be asked for before anybody's cache. The newest call counts; it is sent
  // in the background when it has changed, at most 20 times a second, and to a broker that comes back. Does not wait.
  // INVALID_ARGUMENT: trimmable is more than bytes.
  absl::Status ReportExternal(Bytes bytes, Bytes trimmable);

  Info info() const;
  // REQUIRES: the session is not for room only.
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
