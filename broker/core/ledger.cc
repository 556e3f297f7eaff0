#include "broker/core/ledger.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"

namespace kvbroker {

std::string Describe(const SessionRecord& session) {
  return absl::StrCat("session=", session.id.value(), " tenant=", session.tenant, " pid=", session.process.pid);
}

SessionRecord& Ledger::AddSession(SessionRecord session) {
  const SessionId id = session.id;
  const auto [it, added] = sessions_.emplace(id, std::move(session));
  KVB_CHECK(added, "a session id twice");
  return it->second;
}

Lease& Ledger::AddLease(SessionRecord& session, ArenaId arena, std::vector<Bytes> planes, uint64_t slots) {
  return RestoreLease(session, LeaseId(next_lease_++), arena, std::move(planes), slots);
}

Lease& Ledger::RestoreLease(SessionRecord& session, LeaseId id, ArenaId arena, std::vector<Bytes> planes,
                            uint64_t slots) {
  KVB_CHECK(id.value() < next_lease_, "a lease has a number that was given out");
  const bool added = session.leases.emplace(arena, id).second;
  KVB_CHECK(added, "an arena twice");
  return leases_.emplace(id, Lease(id, session.id, arena, std::move(planes), slots)).first->second;
}

void Ledger::RemoveLease(LeaseId id) {
  const auto it = leases_.find(id);
  KVB_CHECK(it != leases_.end() && it->second.counts().charged() == 0, "a lease with slots is removed");
  sessions_.at(it->second.session()).leases.erase(it->second.arena());
  leases_.erase(it);
}

void Ledger::RemoveSession(SessionId id) {
  const auto it = sessions_.find(id);
  KVB_CHECK(it != sessions_.end() && it->second.leases.empty(), "a session with leases is removed");
  sessions_.erase(it);
}

SessionRecord* Ledger::FindSession(SessionId id) {
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : &it->second;
}

const SessionRecord* Ledger::FindSession(SessionId id) const {
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : &it->second;
}

Lease* Ledger::FindLease(LeaseId id) {
  const auto it = leases_.find(id);
  return it == leases_.end() ? nullptr : &it->second;
}

Lease* Ledger::FindLease(SessionId session, ArenaId arena) {
  const SessionRecord* record = FindSession(session);
  if (record == nullptr) return nullptr;
  const auto it = record->leases.find(arena);
  return it == record->leases.end() ? nullptr : FindLease(it->second);
}

DeviceView::Books Ledger::Books() const {
  DeviceView::Books books;
  for (const auto& [id, lease] : leases_) Add(lease, books);
  return books;
}

DeviceView::Books Ledger::BooksOf(const SessionRecord& session) const {
  DeviceView::Books books;
  for (const auto& [arena, id] : session.leases) Add(leases_.at(id), books);
  return books;
}

void Ledger::Add(const Lease& lease, DeviceView::Books& books) {
  books.charged += lease.slot_bytes() * lease.counts().charged();
  books.present += lease.slot_bytes() * lease.counts().present();
  books.returned += lease.slot_bytes() * lease.counts().returned;
}

Holding Ledger::HoldingOf(const SessionRecord& session) const {
  Holding sum;
  for (const auto& [arena, id] : session.leases) sum += leases_.at(id).holding;
  return sum;
}

Bytes Ledger::ChargedToTenant(const std::string& tenant) const {
  Bytes charged;
  for (const auto& [id, session] : sessions_) {
    if (session.tenant == tenant) charged += ChargedTo(session);
  }
  return charged;
}

void Ledger::NoteReturned(LeaseId lease, uint64_t slots) {
  if (!returned_.empty() && returned_.back().lease == lease) {
    returned_.back().slots += slots;
  } else if (slots > 0) {
    returned_.push_back({.lease = lease, .slots = slots});
  }
}

bool Ledger::ReturnedAddsUp() const {
  std::map<LeaseId, uint64_t> noted;
  for (const Returned& returned : returned_) noted[returned.lease] += returned.slots;
  return std::all_of(leases_.begin(), leases_.end(),
                     [&](const auto& entry) { return entry.second.counts().returned == noted[entry.first]; });
}

Bytes Ledger::CreditReturned(Bytes seen) {
  Bytes credited;
  for (auto returned = returned_.rbegin(); returned != returned_.rend(); ++returned) {
    Lease& lease = leases_.at(returned->lease);
    const uint64_t slots = std::min(returned->slots, (seen - credited) / lease.slot_bytes());
    lease.Credit(slots);
    credited += lease.slot_bytes() * slots;
    returned->slots -= slots;
  }
  returned_.erase(std::remove_if(returned_.begin(), returned_.end(), [](const Returned& r) { return r.slots == 0; }),
                  returned_.end());
  return credited;
}

}  // namespace kvbroker
