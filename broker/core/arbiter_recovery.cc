// The arbiter's part that outlives the broker: what is kept of its steps, and how the next one begins with it.

#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/core/arbiter.h"
#include "common/base/check.h"
#include "common/base/status.h"

namespace kvbroker {

void Arbiter::Journal(bool planned) {
  std::vector<Record> records;
  if (planned) {
    records = journalled_.Follow(ledger_);
  } else {
    // What is handed over is all that raises what is out in a step that plans nothing.
    for (const Effect& effect : effects_) {
      const auto* batch = std::get_if<effect::HandOver>(&effect);
      if (batch == nullptr || batch->slots == 0) continue;
      journalled_.Follow(*ledger_.FindLease(batch->lease), records);
    }
  }
  if (!records.empty()) effects_.insert(effects_.begin(), effect::Journal{std::move(records)});
}

absl::Status Arbiter::CheckRecovered(const record::Lease& lease) const {
  KVB_RETURN_IF_ERROR(CheckArena({.id = lease.arena, .planes = lease.planes, .slots = lease.slots}));
  if (lease.held > lease.slots || lease.returned > kLargestArena / Sum(lease.planes)) {
    return absl::InvalidArgumentError(
        absl::StrCat(lease.held, " of ", lease.slots, " slots held, and ", lease.returned, " let go of"));
  }
  return absl::OkStatus();
}

void Arbiter::On(const event::Recovered& recovered) {
  KVB_CHECK(ledger_.sessions().empty(), "a broker recovers before it serves");
  journalled_ = recovered.accounts;
  plan_is_due_ = true;
  for (const auto& [id, account] : recovered.accounts.sessions()) {
    // No broker had more: what is out in all is a number that can be.
    const absl::Status check = ledger_.sessions().size() < kMostSessions
                                   ? tenants_.Restore(account.tenant)
                                   : absl::ResourceExhaustedError(absl::StrCat("more than ", kMostSessions));
    if (!check.ok()) {
      Warn(absl::StrCat("journal session=", id.value(), ": ", check.message(), "; passed over"));
      continue;
    }
    if (!only_user_.has_value()) only_user_ = account.process.uid;
    ledger_.AddSession({.id = id,
                        .tenant = account.tenant,
                        .instance = account.instance,
                        .process = account.process,
                        .engine = account.engine,
                        .state = SessionState::kLost,
                        .opened = now_,
                        .floor = account.floor});
  }
  ledger_.BeginLeasesAt(recovered.accounts.next_lease());
  for (const auto& [id, account] : recovered.accounts.leases()) {
    SessionRecord* session = ledger_.FindSession(account.session);
    if (session == nullptr) continue;
    absl::Status check = CheckRecovered(account);
    if (check.ok() && session->leases.count(account.arena) != 0) {
      check = absl::AlreadyExistsError(absl::StrCat("arena ", account.arena.value(), " stands there twice"));
    }
    if (check.ok() && session->leases.size() >= kMostArenas) {
      check = absl::ResourceExhaustedError(absl::StrCat("its session has ", kMostArenas, " arenas already"));
    }
    if (!check.ok()) {
      Warn(absl::StrCat("journal lease=", id.value(), ": ", check.message(), "; passed over"));
      continue;
    }
    Lease& lease = ledger_.RestoreLease(*session, id, account.arena, account.planes, account.slots);
    lease.Adopt(account.held);
    lease.AdoptReturned(account.returned);
    NoteReturned(id, account.returned);
    adopted_ = true;
  }
  for (const auto& [id, session] : ledger_.sessions()) {
    Inform(absl::StrCat("session recovered ", Describe(session), " held=", ledger_.ChargedTo(session).in_bytes()));
  }
}

}  // namespace kvbroker
