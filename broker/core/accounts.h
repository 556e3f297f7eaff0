#ifndef KVBROKER_BROKER_CORE_ACCOUNTS_H_
#define KVBROKER_BROKER_CORE_ACCOUNTS_H_

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "broker/core/ledger.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/process_identity.h"

namespace kvbroker {

// What of the ledger outlives the broker's process. A record says how something is by now, not what has changed: the
// newest of each counts, and one that is read twice does no harm.
namespace record {

struct Session {
  SessionId id;
  std::string tenant;
  std::string instance;
  ProcessIdentity process;
  std::string engine;
  Bytes floor;

  friend bool operator==(const Session&, const Session&) = default;
};

// The slots of a lease that are out.
struct Lease {
  LeaseId id;
  SessionId session;
  ArenaId arena;
  std::vector<Bytes> planes;  // extent sizes of one slot
  uint64_t slots = 0;         // the most the arena can map
  uint64_t held = 0;          // handed over, and not let go of as far as the client said
  uint64_t returned = 0;      // let go of, not yet seen as free

  friend bool operator==(const Lease&, const Lease&) = default;
};

// The session is over, and so are its leases.
struct SessionEnded {
  SessionId id;

  friend bool operator==(const SessionEnded&, const SessionEnded&) = default;
};

}  // namespace record

using Record = std::variant<record::Session, record::Lease, record::SessionEnded>;

// The accounts that records add up to. A lease of no session, or of no arena, is passed over: whoever wrote it was no
// broker. Invariants: every lease's session is there; every lease has slots out, held or returned.
//
// Plain values, no I/O. Thread-compatible.
class Accounts {
 public:
  void Apply(const Record& record);

  // What of the ledger, or of one lease of it, is not in here yet, as records; they are applied.
  std::vector<Record> Follow(const Ledger& ledger);
  void Follow(const Lease& lease, std::vector<Record>& records);

  // The shortest way to say all of it.
  std::vector<Record> Records() const;

  const std::map<SessionId, record::Session>& sessions() const { return sessions_; }
  const std::map<LeaseId, record::Lease>& leases() const { return leases_; }
  // Greater than every number there was.
  SessionId next_session() const { return next_session_; }
  LeaseId next_lease() const { return next_lease_; }
  // Numbers below these were somebody's in a journal that is gone.
  void BeginAt(SessionId session, LeaseId lease);

  friend bool operator==(const Accounts&, const Accounts&) = default;

 private:
  void Take(Record record, std::vector<Record>& records);

  std::map<SessionId, record::Session> sessions_;
  std::map<LeaseId, record::Lease> leases_;
  SessionId next_session_{1};
  LeaseId next_lease_{1};
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_ACCOUNTS_H_
