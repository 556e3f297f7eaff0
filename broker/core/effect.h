#ifndef KVBROKER_BROKER_CORE_EFFECT_H_
#define KVBROKER_BROKER_CORE_EFFECT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "broker/core/accounts.h"
#include "broker/core/event.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace kvbroker {

// What the broker does about an event; carried out in order by whoever drives the core.
namespace effect {

// Keeps the records, so that a broker that comes after this one knows of them. First of the effects of its step:
// nothing that raises what is out is visible to anybody before.
struct Journal {
  std::vector<Record> records;
};

// Answers a connection with Welcome; from now on it is the session's.
struct Admit {
  ConnectionId connection;
  SessionId session;
  Bytes capacity;
  std::optional<Bytes> limit;
  struct Arena {
    ArenaId id;
    LeaseId lease;
  };
  std::vector<Arena> arenas;  // that the client brought along, in its order: they are open
};

// Answers a connection with Rejected and closes it.
struct Refuse {
  ConnectionId connection;
  absl::Status status;
};

// Messages to the session's client.
struct TellArenaOpened {
  SessionId session;
  ArenaId arena;
  LeaseId lease;
};
struct TellGrant {
  SessionId session;
  LeaseId lease;
  uint64_t total = 0;
  uint64_t want_revision = 0;
};
struct TellRevoke {
  SessionId session;
  LeaseId lease;
  uint64_t total = 0;
};
struct TellTarget {
  SessionId session;
  uint64_t revision = 0;
  std::optional<Bytes> max;
  absl::Duration within;  // 0: no deadline
  bool urgent = false;
  std::string reason;
  std::optional<absl::Duration> eviction_age;  // none: there is enough for all
};
// The policy of the session's tenant has changed.
struct TellPolicy {
  SessionId session;
  std::optional<Bytes> limit;  // none: no limit
  Bytes reserved;
  Bytes guarantee;
  uint64_t revision = 0;
};
// Let go of so much of what is trimmable.
struct TellTrim {
  SessionId session;
  uint64_t revision = 0;
  Bytes bytes;
};
struct TellRoomReady {
  SessionId session;
  uint64_t request = 0;
};
struct TellError {
  SessionId session;
  ArenaId arena;  // empty: about none
  absl::Status status;
  uint64_t request = 0;        // of ReserveExternal; 0: of none
  uint64_t want_revision = 0;  // of the arena's Want, which can never be met and is forgotten; 0: it is about none
};

// The client broke the rules of the hand-over channel: it is told, and the connection is closed.
struct Disconnect {
  SessionId session;
  absl::Status status;
};

// The session is over: its channels are closed, nothing of it is kept.
struct EndSession {
  SessionId session;
};

// Ends the session's process: its tenant's own policy says so. `kill`: by SIGKILL, else by SIGTERM.
struct EndProcess {
  SessionId session;
  bool kill = false;
};

// Makes extents for so many slots of the lease; answered by Made and MakeFailed, in parts.
struct MakeExtents {
  LeaseId lease;
  std::vector<Bytes> planes;
  uint64_t slots = 0;
};

// Sends the descriptors of so many made slots as one batch. With no slots: the lease has nothing to fetch.
struct HandOver {
  SessionId session;
  LeaseId lease;
  BatchId batch;
  uint64_t slots = 0;
};

// Lets go of the broker's own handles of the batch.
struct DropBatch {
  LeaseId lease;
  BatchId batch;
};

// Lets go of so many made slots that were never handed over.
struct DiscardMade {
  LeaseId lease;
  uint64_t slots = 0;
};

// Looks at the device after `delay`; answered by DeviceSample. A look that is asked for sooner takes the place of a
// later.
struct SampleDevice {
  absl::Duration delay;
};

// A line for the operator.
struct Note {
  enum class Level { kInfo, kWarning };
  Level level = Level::kInfo;
  std::string text;
};

}  // namespace effect

using Effect =
    std::variant<effect::Journal, effect::Admit, effect::Refuse, effect::TellArenaOpened, effect::TellGrant,
                 effect::TellRevoke, effect::TellTarget, effect::TellPolicy, effect::TellTrim, effect::TellRoomReady,
                 effect::TellError, effect::Disconnect, effect::EndProcess, effect::EndSession, effect::MakeExtents,
                 effect::HandOver, effect::DropBatch, effect::DiscardMade, effect::SampleDevice, effect::Note>;

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_EFFECT_H_
