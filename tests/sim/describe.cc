#include "tests/sim/describe.h"

#include <optional>

#include "absl/strings/str_cat.h"

namespace kvbroker::sim {
namespace {

std::string Show(std::optional<Bytes> bytes) { return bytes.has_value() ? ToString(*bytes) : "none"; }

std::string Show(const ArenaDescription& arena) {
  Bytes slot;
  for (const Bytes plane : arena.planes) slot = Bytes(slot.in_bytes() + plane.in_bytes());
  return absl::StrCat(" arena=", arena.id.value(), " slots=", arena.slots, " of ", ToString(slot));
}

// The fields that most events and effects share.
template <typename E>
std::string Common(const E& e) {
  std::string text;
  if constexpr (requires { e.session; }) absl::StrAppend(&text, " session=", e.session.value());
  if constexpr (requires { e.lease; }) absl::StrAppend(&text, " lease=", e.lease.value());
  if constexpr (requires { e.batch; }) absl::StrAppend(&text, " batch=", e.batch.value());
  if constexpr (requires { e.arena.value(); }) absl::StrAppend(&text, " arena=", e.arena.value());
  if constexpr (requires { e.slots; }) absl::StrAppend(&text, " slots=", e.slots);
  if constexpr (requires {
                  e.total + e.total;
                  e.lease;
                })
    absl::StrAppend(&text, " total=", e.total);
  if constexpr (requires { e.request; }) absl::StrAppend(&text, " request=", e.request);
  if constexpr (requires { e.status; }) absl::StrAppend(&text, " ", e.status.ToString());
  return text;
}

struct Describer {
  std::string operator()(const event::Hello& e) const {
    std::string text = absl::StrCat("Hello pid=", e.process.pid, " tenant=", e.tenant, " floor=", ToString(e.floor));
    for (const auto& held : e.held) absl::StrAppend(&text, Show(held.arena), " held=", held.slots);
    return text;
  }
  std::string operator()(const event::ArenaOpen& e) const {
    return absl::StrCat("ArenaOpen", Common(e), Show(e.arena));
  }
  std::string operator()(const event::ArenaClose& e) const { return "ArenaClose" + Common(e); }
  std::string operator()(const event::Want& e) const {
    return absl::StrCat("Want", Common(e), " revision=", e.revision, " min_useful=", e.min_useful);
  }
  std::string operator()(const event::Fetch& e) const {
    return absl::StrCat("Fetch", Common(e), " max=", e.max_slots, " confirm=", e.confirm.value());
  }
  std::string operator()(const event::Confirm& e) const { return "Confirm" + Common(e); }
  std::string operator()(const event::Nack& e) const { return "Nack" + Common(e); }
  std::string operator()(const event::Released& e) const { return "Released" + Common(e); }
  std::string operator()(const event::Unsupported& e) const { return "Unsupported" + Common(e); }
  std::string operator()(const event::Poisoned& e) const { return "Poisoned" + Common(e); }
  std::string operator()(const event::Goodbye& e) const { return "Goodbye" + Common(e); }
  std::string operator()(const event::ConnectionLost& e) const { return "ConnectionLost" + Common(e); }
  std::string operator()(const event::ProcessEnded& e) const { return "ProcessEnded" + Common(e); }
  std::string operator()(const event::Made& e) const { return "Made" + Common(e); }
  std::string operator()(const event::MakeFailed& e) const { return "MakeFailed" + Common(e); }
  std::string operator()(const event::DeviceSample& e) const {
    return absl::StrCat("DeviceSample total=", ToString(e.total), " free=", ToString(e.free));
  }
  std::string operator()(const event::HoldingReport& e) const {
    const Holding& h = e.holding;
    std::string text =
        absl::StrCat("HoldingReport", Common(e), " spare=", ToString(h.spare), " free=", ToString(h.free));
    for (const Bytes bytes : h.cached_by_age) absl::StrAppend(&text, " ", bytes.in_bytes());
    absl::StrAppend(&text, " compactable=", ToString(h.compactable), " preemptible=", ToString(h.preemptible),
                    " pinned=", ToString(h.pinned), " response=", absl::FormatDuration(h.response));
    return text;
  }
  std::string operator()(const event::ReserveExternal& e) const {
    return absl::StrCat("ReserveExternal", Common(e), " bytes=", ToString(e.bytes));
  }
  std::string operator()(const event::ExternalSettled& e) const {
    return absl::StrCat("ExternalSettled", Common(e), " bytes=", ToString(e.bytes));
  }
  std::string operator()(const event::External& e) const {
    return absl::StrCat("External", Common(e), " bytes=", ToString(e.bytes), " trimmable=", ToString(e.trimmable));
  }
  std::string operator()(const event::Recovered& e) const {
    return absl::StrCat("Recovered sessions=", e.accounts.sessions().size(), " leases=", e.accounts.leases().size());
  }
  std::string operator()(const event::SetTenant& e) const {
    return absl::StrCat("SetTenant tenant=", e.tenant, " limit=", Show(e.policy.limit),
                        " reserved=", ToString(e.policy.reserved), " guarantee=", ToString(e.policy.guarantee),
                        " deadline=", absl::FormatDuration(e.policy.guarantee_deadline), " ",
                        ToString(e.policy.tenant_class), " weight=", e.policy.weight);
  }
  std::string operator()(const event::Squeeze& e) const {
    return absl::StrCat("Squeeze tenant=", e.tenant, " to=", Show(e.to));
  }
  std::string operator()(const event::DeleteTenant& e) const { return absl::StrCat("DeleteTenant tenant=", e.tenant); }
  std::string operator()(const event::Admission& e) const { return absl::StrCat("Admission open=", e.open); }
  template <typename E>
  std::string operator()(const E& e) const {
    return "an event" + Common(e);
  }

  std::string operator()(const effect::Journal& e) const { return absl::StrCat("Journal ", e.records.size()); }
  std::string operator()(const effect::Admit& e) const { return "Admit" + Common(e); }
  std::string operator()(const effect::Refuse& e) const { return "Refuse" + Common(e); }
  std::string operator()(const effect::TellArenaOpened& e) const { return "TellArenaOpened" + Common(e); }
  std::string operator()(const effect::TellGrant& e) const { return "TellGrant" + Common(e); }
  std::string operator()(const effect::TellRevoke& e) const { return "TellRevoke" + Common(e); }
  std::string operator()(const effect::TellTarget& e) const {
    return absl::StrCat("TellTarget", Common(e), " max=", Show(e.max), " within=", absl::FormatDuration(e.within), " ",
                        e.reason);
  }
  std::string operator()(const effect::TellError& e) const { return "TellError" + Common(e); }
  std::string operator()(const effect::TellPolicy& e) const {
    return absl::StrCat("TellPolicy", Common(e), " limit=", Show(e.limit));
  }
  std::string operator()(const effect::TellRoomReady& e) const { return "TellRoomReady" + Common(e); }
  std::string operator()(const effect::TellTrim& e) const {
    return absl::StrCat("TellTrim", Common(e), " bytes=", ToString(e.bytes));
  }
  std::string operator()(const effect::EndProcess& e) const { return "EndProcess" + Common(e); }
  std::string operator()(const effect::Disconnect& e) const { return "Disconnect" + Common(e); }
  std::string operator()(const effect::EndSession& e) const { return "EndSession" + Common(e); }
  std::string operator()(const effect::MakeExtents& e) const { return "MakeExtents" + Common(e); }
  std::string operator()(const effect::HandOver& e) const { return "HandOver" + Common(e); }
  std::string operator()(const effect::DropBatch& e) const { return "DropBatch" + Common(e); }
  std::string operator()(const effect::DiscardMade& e) const { return "DiscardMade" + Common(e); }
  std::string operator()(const effect::SampleDevice& e) const {
    return absl::StrCat("SampleDevice in ", absl::FormatDuration(e.delay));
  }
  std::string operator()(const effect::Note& e) const { return "Note: " + e.text; }
};

}  // namespace

std::string Describe(const Event& event) { return std::visit(Describer(), event); }
std::string Describe(const Effect& effect) { return std::visit(Describer(), effect); }

}  // namespace kvbroker::sim
