#ifndef KVBROKER_BROKER_CORE_TESTING_SOME_RECORDS_H_
#define KVBROKER_BROKER_CORE_TESTING_SOME_RECORDS_H_

#include <cstdint>

#include "broker/core/accounts.h"

namespace kvbroker {

// Tenant a's, of process 7.
inline record::Session ASession(uint64_t id) {
  return {.id = SessionId(id), .tenant = "a", .process = {.pid = 7, .start_time = 1}};
}

// Arena 1, with slots of 2 MiB.
inline record::Lease ALease(uint64_t id, uint64_t session, uint64_t held) {
  return {.id = LeaseId(id),
          .session = SessionId(session),
          .arena = ArenaId(1),
          .planes = {MiB(2)},
          .slots = 100,
          .held = held};
}

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_TESTING_SOME_RECORDS_H_
