#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "broker/core/arbiter.h"
#include "common/base/status.h"

namespace kvbroker {

// ---------------------------------------------------------------- policies

absl::Status Arbiter::CheckRevision(uint64_t if_revision) const {
  if (if_revision == 0 || if_revision == policy_revision_) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the policy is revision ", policy_revision_, " by now, not ", if_revision));
}

absl::Status Arbiter::CheckAssured(const std::string& tenant, const TenantPolicy& policy) const {
  // Bounded, so that no number anybody writes makes the sum wrap around.
  Bytes assured = std::min(policy.assured(), Bytes(UINT64_MAX / 2));
  for (const auto& [name, other] : tenants_.all()) {
    if (name != tenant) assured += std::min(other.policy.assured(), device_.total());
  }
  const Bytes there_is = device_.options().cap.value_or(MinusOrZero(device_.total(), device_.options().headroom));
  const auto known = tenants_.all().find(tenant);
  const bool more = known == tenants_.all().end() || policy.assured() > known->second.policy.assured();
  if (!more || assured <= there_is) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("all tenants together would be assured of ", ToString(assured),
                                                    ", and there are ", ToString(there_is)));
}

absl::StatusOr<Arbiter::CheckedChange> Arbiter::CheckTenantChange(const TenantChange& change) const {
  KVB_RETURN_IF_ERROR(CheckTenantName(change.tenant));
  KVB_RETURN_IF_ERROR(CheckTenantPolicy(change.policy));
  if (change.create) {
    KVB_RETURN_IF_ERROR(tenants_.CheckMayBeAdded(change.tenant));
  } else if (tenants_.all().count(change.tenant) == 0) {
    return tenants_.Unknown(change.tenant);
  }
  KVB_RETURN_IF_ERROR(CheckRevision(change.if_revision));
  Bytes floor;
  for (const auto& [id, session] : ledger_.sessions()) {
    if (session.tenant == change.tenant) floor = std::max(floor, session.floor);
  }
  if (!change.force && change.policy.limit.has_value() && *change.policy.limit < floor) {
    return absl::FailedPreconditionError(absl::StrCat(
        "a limit of ", ToString(*change.policy.limit), " is less than one of tenant ", change.tenant,
        "'s longest requests needs, ", ToString(floor), ": such requests would fail; force it to set it all the same"));
  }
  KVB_RETURN_IF_ERROR(CheckAssured(change.tenant, change.policy));
  CheckedChange checked = {.revision = policy_revision_ + 1, .set_tenants = tenants_.SetByOperators()};
  checked.set_tenants[change.tenant] = change.policy;
  return checked;
}

void Arbiter::On(const event::SetTenant& set) {
  tenants_.Set(set.tenant, set.policy);
  ++policy_revision_;
  plan_is_due_ = true;
  const TenantPolicy& policy = set.policy;
  TellPolicy(set.tenant, policy);
  Inform(absl::StrCat("policy set tenant=", set.tenant,
                      " limit=", policy.limit.has_value() ? absl::StrCat(policy.limit->in_bytes()) : "none",
                      " reserved=", policy.reserved.in_bytes(), " guarantee=", policy.guarantee.in_bytes(),
                      " deadline=", absl::FormatDuration(policy.guarantee_deadline), " weight=", policy.weight,
                      " class=", ToString(policy.tenant_class), " revision=", policy_revision_));
}

const SessionRecord* Arbiter::FirstSessionOf(absl::string_view tenant) const {
  for (const auto& [id, session] : ledger_.sessions()) {
    if (session.tenant == tenant) return &session;
  }
  return nullptr;
}

absl::StatusOr<Arbiter::CheckedChange> Arbiter::CheckTenantDeletion(const std::string& tenant,
                                                                    uint64_t if_revision) const {
  const auto it = tenants_.all().find(tenant);
  if (it == tenants_.all().end()) return tenants_.Unknown(tenant);
  KVB_RETURN_IF_ERROR(CheckRevision(if_revision));
  if (it->second.listed) KVB_RETURN_IF_ERROR(CheckAssured(tenant, it->second.configured));
  const SessionRecord* session = FirstSessionOf(tenant);
  if (!it->second.listed && session != nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("tenant ", tenant, " has sessions, as ", Describe(*session),
                                                      ": it can be deleted once they have ended"));
  }
  CheckedChange checked = {.revision = policy_revision_ + 1, .set_tenants = tenants_.SetByOperators()};
  checked.set_tenants.erase(tenant);
  return checked;
}

void Arbiter::On(const event::DeleteTenant& deleted) {
  if (tenants_.all().count(deleted.tenant) == 0) return;
  // One may have come since it was checked.
  const Tenants::Use use = FirstSessionOf(deleted.tenant) == nullptr ? Tenants::Use::kNone : Tenants::Use::kHasSessions;
  const bool stays = tenants_.Delete(deleted.tenant, use);
  ++policy_revision_;
  plan_is_due_ = true;
  if (stays) TellPolicy(deleted.tenant, tenants_.all().at(deleted.tenant).policy);
  Inform(absl::StrCat("policy deleted tenant=", deleted.tenant,
                      stays ? ": it is as configured again" : ": it is known no more", " revision=", policy_revision_));
}

void Arbiter::On(const event::Configured& configured) {
  options_.access = configured.access;
  const std::vector<std::string> changed = tenants_.Configure(configured.tenants, configured.others);
  plan_is_due_ = true;
  for (const std::string& name : changed) TellPolicy(name, tenants_.all().at(name).policy);
  Inform(absl::StrCat("configured tenants=", configured.tenants.size(),
                      configured.others.has_value() ? " and others" : "",
                      " changed=", changed.empty() ? "none" : absl::StrJoin(changed, ",")));
}

void Arbiter::TellPolicy(const std::string& tenant, const TenantPolicy& policy) {
  for (const auto& [id, session] : ledger_.sessions()) {
    if (session.tenant != tenant || session.state != SessionState::kActive) continue;
    Emit(effect::TellPolicy{.session = id,
                            .limit = policy.limit,
                            .reserved = policy.reserved,
                            .guarantee = policy.guarantee,
                            .revision = policy_revision_});
  }
}

// ---------------------------------------------------------------- what is to happen once

absl::Status Arbiter::CheckSqueeze(const std::string& tenant, Bytes to) const {
  const auto it = tenants_.all().find(tenant);
  if (it == tenants_.all().end()) return tenants_.Unknown(tenant);
  if (it->second.squeeze.has_value()) {
    return absl::FailedPreconditionError(
        absl::StrCat("tenant ", tenant, " is being trimmed to ", ToString(it->second.squeeze->to), " already"));
  }
  if (to < it->second.policy.reserved) {
    return absl::FailedPreconditionError(absl::StrCat("tenant ", tenant, " has ", ToString(it->second.policy.reserved),
                                                      " reserved, which nobody else may have: trimming it to ",
                                                      ToString(to), " would help nobody"));
  }
  return absl::OkStatus();
}

void Arbiter::On(const event::Squeeze& squeeze) {
  const auto it = tenants_.all().find(squeeze.tenant);
  if (it == tenants_.all().end()) return;  // it was deleted meanwhile
  plan_is_due_ = true;
  if (!squeeze.to.has_value()) {
    if (it->second.squeeze.has_value()) Inform(absl::StrCat("trim taken back tenant=", squeeze.tenant));
    return it->second.squeeze.reset();
  }
  ++it->second.squeezes;
  it->second.squeeze = {.to = *squeeze.to, .since = now_, .until = squeeze.until};
  Inform(absl::StrCat("trimming tenant=", squeeze.tenant, " to=", squeeze.to->in_bytes()));
}

void Arbiter::EndSqueezes() {
  for (auto& [name, tenant] : tenants_.all()) {
    if (!tenant.squeeze.has_value()) continue;
    Bytes charged;
    for (const auto& [id, session] : ledger_.sessions()) {
      if (session.tenant == name) charged += ledger_.ChargedTo(session);
    }
    const bool reached = charged <= tenant.squeeze->to;
    // What is reserved by now is nobody else's, whatever is trimmed.
    const bool useless = tenant.squeeze->to < tenant.policy.reserved;
    if (!reached && !useless && now_ < tenant.squeeze->until) continue;
    Inform(absl::StrCat(reached   ? "trimmed"
                        : useless ? "trim given up, more is reserved by now,"
                                  : "not trimmed in time",
                        " tenant=", name, " to=", tenant.squeeze->to.in_bytes(), " holds=", charged.in_bytes(),
                        " after=", absl::FormatDuration(now_ - tenant.squeeze->since)));
    tenant.held_after_squeeze = charged;
    tenant.squeeze.reset();
  }
}

void Arbiter::On(const event::Admission& admission) {
  options_.admits = admission.open;
  Inform(admission.open ? "new sessions are admitted" : "drained: no new sessions are admitted");
}

absl::Status Arbiter::CheckForget(SessionId id) const {
  const auto it = ledger_.sessions().find(id);
  if (it == ledger_.sessions().end()) return absl::NotFoundError(absl::StrCat("no session ", id.value()));
  const SessionRecord& session = it->second;
  if (session.state == SessionState::kLost || session.state == SessionState::kPoisoned) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      Describe(session), " cannot be forgotten: ",
      session.state == SessionState::kActive ? "its process uses what it holds, and the session ends with it"
                                             : "it has ended, and what does not come back is written off after 5 s"));
}

void Arbiter::On(const event::Forget& forget) {
  SessionRecord* session = ledger_.FindSession(forget.session);
  if (session == nullptr || !CheckForget(forget.session).ok()) return;
  Drain(*session, "an operator has given it up");
}

}  // namespace kvbroker
