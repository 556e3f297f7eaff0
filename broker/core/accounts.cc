#include "broker/core/accounts.h"

#include <algorithm>
#include <utility>

namespace kvbroker {
namespace {

record::Session RecordOf(const SessionRecord& session) {
  return {.id = session.id,
          .tenant = session.tenant,
          .instance = session.instance,
          .process = session.process,
          .engine = session.engine,
          .floor = session.floor};
}

// What was made and never handed over ends with the broker.
uint64_t HeldOf(const Lease& lease) { return lease.counts().sent + lease.counts().active; }

record::Lease RecordOf(const Lease& lease) {
  return {.id = lease.id(),
          .session = lease.session(),
          .arena = lease.arena(),
          .planes = lease.planes(),
          .slots = lease.slots(),
          .held = HeldOf(lease),
          .returned = lease.counts().returned};
}

}  // namespace

void Accounts::Apply(const Record& record) {
  if (const auto* session = std::get_if<record::Session>(&record)) {
    if (!session->id) return;
    next_session_ = std::max(next_session_, SessionId(session->id.value() + 1));
    sessions_[session->id] = *session;
  } else if (const auto* lease = std::get_if<record::Lease>(&record)) {
    if (!lease->id) return;
    next_lease_ = std::max(next_lease_, LeaseId(lease->id.value() + 1));
    if (lease->held == 0 && lease->returned == 0) {
      leases_.erase(lease->id);
    } else if (sessions_.count(lease->session) != 0 && lease->arena && !lease->planes.empty()) {
      leases_[lease->id] = *lease;
    }
  } else {
    const SessionId ended = std::get<record::SessionEnded>(record).id;
    sessions_.erase(ended);
    std::erase_if(leases_, [ended](const auto& entry) { return entry.second.session == ended; });
  }
}

void Accounts::Take(Record record, std::vector<Record>& records) {
  Apply(record);
  records.push_back(std::move(record));
}

void Accounts::Follow(const Lease& lease, std::vector<Record>& records) {
  const auto known = leases_.find(lease.id());
  const uint64_t held = known == leases_.end() ? 0 : known->second.held;
  const uint64_t returned = known == leases_.end() ? 0 : known->second.returned;
  if (HeldOf(lease) != held || lease.counts().returned != returned) Take(RecordOf(lease), records);
}

std::vector<Record> Accounts::Follow(const Ledger& ledger) {
  std::vector<Record> records;
  for (const auto& [id, session] : ledger.sessions()) {
    if (sessions_.count(id) == 0) Take(RecordOf(session), records);
  }
  std::vector<Record> ended;
  for (const auto& [id, session] : sessions_) {
    if (ledger.FindSession(id) == nullptr) ended.push_back(record::SessionEnded{id});
  }
  for (const auto& [id, lease] : leases_) {
    if (ledger.leases().count(id) != 0 || ledger.FindSession(lease.session) == nullptr) continue;
    record::Lease none = lease;
    none.held = none.returned = 0;
    ended.push_back(std::move(none));
  }
  for (Record& record : ended) Take(std::move(record), records);
  for (const auto& [id, lease] : ledger.leases()) Follow(lease, records);
  return records;
}

std::vector<Record> Accounts::Records() const {
  std::vector<Record> records;
  for (const auto& [id, session] : sessions_) records.emplace_back(session);
  for (const auto& [id, lease] : leases_) records.emplace_back(lease);
  return records;
}

void Accounts::BeginAt(SessionId session, LeaseId lease) {
  next_session_ = std::max(next_session_, session);
  next_lease_ = std::max(next_lease_, lease);
}

}  // namespace kvbroker
