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
record::Lease RecordOf(const Lease& lease) {
  return {.id = lease.id(),
          .session = lease.session(),
          .arena = lease.arena(),
          .planes = lease.planes(),
          .slots = lease.slots(),
          .held = lease.counts().sent + lease.counts().active,
          .returned = lease.counts().returned};
}

bool IsOut(const record::Lease& lease) { return lease.held > 0 || lease.returned > 0; }

}  // namespace

void Accounts::Apply(const Record& record) {
  if (const auto* session = std::get_if<record::Session>(&record)) {
    if (!session->id) return;
    next_session_ = std::max(next_session_, SessionId(session->id.value() + 1));
    sessions_[session->id] = *session;
  } else if (const auto* lease = std::get_if<record::Lease>(&record)) {
    if (!lease->id) return;
    next_lease_ = std::max(next_lease_, LeaseId(lease->id.value() + 1));
    if (!IsOut(*lease)) {
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

std::vector<Record> Accounts::Follow(const Ledger& ledger, LeaseId id) {
  std::vector<Record> records;
  const auto lease = ledger.leases().find(id);
  const auto known = leases_.find(id);
  if (lease == ledger.leases().end()) {
    if (known == leases_.end()) return records;
    record::Lease ended = known->second;
    ended.held = ended.returned = 0;
    records.push_back(std::move(ended));
  } else {
    record::Lease now = RecordOf(lease->second);
    const bool changed = known == leases_.end() ? IsOut(now) : now != known->second;
    if (changed) records.push_back(std::move(now));
  }
  for (const Record& record : records) Apply(record);
  return records;
}

std::vector<Record> Accounts::Follow(const Ledger& ledger) {
  std::vector<Record> records;
  const auto take = [&](Record record) {
    Apply(record);
    records.push_back(std::move(record));
  };
  for (const auto& [id, session] : ledger.sessions()) {
    if (sessions_.count(id) == 0) take(RecordOf(session));
  }
  std::vector<SessionId> ended;
  for (const auto& [id, session] : sessions_) {
    if (ledger.FindSession(id) == nullptr) ended.push_back(id);
  }
  for (const SessionId id : ended) take(record::SessionEnded{id});

  std::vector<LeaseId> leases;
  for (const auto& [id, lease] : leases_) {
    if (ledger.leases().count(id) == 0) leases.push_back(id);
  }
  for (const auto& [id, lease] : ledger.leases()) leases.push_back(id);
  for (const LeaseId id : leases) {
    for (Record& record : Follow(ledger, id)) records.push_back(std::move(record));
  }
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
