#include <algorithm>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "broker/server/admin_answers.h"
#include "broker/server/admin_service.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status.h"

namespace kvbroker {
namespace {

constexpr absl::Duration kDefaultTrim = absl::Seconds(10);
constexpr absl::Duration kLongestTrim = absl::Minutes(10);
constexpr absl::Duration kTrimLook = absl::Milliseconds(20);  // between two looks whether it is over
constexpr absl::Duration kLongestPause = absl::Seconds(5);    // of the broker, beyond a trim's time
constexpr size_t kMostNamed = 5;                              // sessions, in an error

bool GivesAnything(const admin::v1::SetTenantRequest& request) {
  return request.has_limit() || request.has_reserved() || request.has_guarantee() ||
         request.has_guarantee_deadline_ms() || request.has_weight() || request.has_tenant_class() ||
         request.has_missed_target();
}

std::string TextOf(const TenantPolicy& policy) {
  admin::v1::TenantPolicy message;
  FillPolicy(policy, message);
  return message.ShortDebugString();
}

std::string TextOf(const BrokerReport::Tenant* tenant) { return tenant == nullptr ? "" : TextOf(tenant->policy); }

// "session 3 (chat, pid 71, active), ..."
std::string Names(const std::vector<BrokerReport::Session>& sessions) {
  std::string names;
  for (size_t i = 0; i < std::min(sessions.size(), kMostNamed); ++i) {
    absl::StrAppend(&names, i == 0 ? "" : ", ", "session ", sessions[i].id.value(), " (", sessions[i].tenant, ", pid ",
                    sessions[i].process.pid, ", ", ToString(sessions[i].state), ")");
  }
  if (sessions.size() > kMostNamed) absl::StrAppend(&names, " and ", sessions.size() - kMostNamed, " more");
  return names;
}

}  // namespace

grpc::Status AdminService::Audited(const grpc::ServerContext& context, const std::string& what,
                                   const std::function<absl::StatusOr<std::string>()>& change) {
  const absl::StatusOr<PeerCredentials> caller = door_->Caller(context);
  const absl::StatusOr<std::string> changed = caller.ok() ? change() : caller.status();
  const std::string who = caller.ok() ? absl::StrCat("uid=", caller->uid, " pid=", caller->pid) : "nobody";
  if (changed.ok()) {
    LogInfo("audit ", who, " ", what, *changed);
  } else {
    LogWarning("audit ", who, " ", what, " refused: ", Quoted(changed.status().message()));
  }
  return ToGrpc(changed.status());
}

// ---------------------------------------------------------------- policies

absl::StatusOr<BrokerReport> AdminService::KeepAndMake(const Arbiter::CheckedChange& checked,
                                                       const std::function<void()>& make, absl::string_view kept) {
  KVB_RETURN_IF_ERROR(policies_.Save(checked.set_tenants, checked.revision));
  BrokerReport report;
  const bool made = loop_.Call([&] {
    make();
    report = broker_.Report();
  });
  if (!made) return absl::UnavailableError(absl::StrCat("the broker is ending; ", kept, " for the next one"));
  return report;
}

grpc::Status AdminService::SetTenant(grpc::ServerContext* context, const admin::v1::SetTenantRequest* request,
                                     admin::v1::SetTenantResponse* response) {
  return Audited(*context, absl::StrCat("SetTenant tenant=", Quoted(request->tenant())),
                 [&] { return Set(*request, *response); });
}

absl::StatusOr<std::string> AdminService::Set(const admin::v1::SetTenantRequest& request,
                                              admin::v1::SetTenantResponse& response) {
  if (!GivesAnything(request)) {
    return absl::InvalidArgumentError(
        "nothing is to be changed: give a limit, reserved, guarantee, deadline, weight, class or missed_target");
  }
  absl::MutexLock lock(&change_mu_);
  Arbiter::TenantChange change = {.tenant = request.tenant(),
                                  .create = request.create(),
                                  .force = request.force(),
                                  .if_revision = request.if_revision()};
  std::string before;
  absl::StatusOr<Arbiter::CheckedChange> checked = absl::UnknownError("not asked");
  const bool asked = loop_.Call([&] {
    const BrokerReport now = broker_.Report();
    before = TextOf(FindTenant(now, request.tenant()));
    const absl::StatusOr<TenantPolicy> policy = PolicyOf(now, request);
    if (!policy.ok()) {
      checked = policy.status();
      return;
    }
    change.policy = *policy;
    checked = broker_.CheckTenantChange(change);
  });
  if (!asked) return IsEnding();
  KVB_RETURN_IF_ERROR(checked.status());
  KVB_ASSIGN_OR_RETURN(const BrokerReport report,
                       KeepAndMake(
                           *checked, [&] { broker_.SetTenant(change.tenant, change.policy); }, "the policy is kept"));
  FillPolicy(change.policy, *response.mutable_policy());
  response.set_revision(checked->revision);
  const BrokerReport::Tenant* tenant = FindTenant(report, change.tenant);
  if (tenant != nullptr && change.policy.limit.has_value()) {
    response.set_bytes_over(MinusOrZero(tenant->charged, *change.policy.limit).in_bytes());
  }
  return absl::StrCat(" before={", before, "} after={", response.policy().ShortDebugString(),
                      "} revision=", response.revision());
}

grpc::Status AdminService::DeleteTenant(grpc::ServerContext* context, const admin::v1::DeleteTenantRequest* request,
                                        admin::v1::DeleteTenantResponse* response) {
  return Audited(*context, absl::StrCat("DeleteTenant tenant=", Quoted(request->tenant())),
                 [&] { return Delete(*request, *response); });
}

absl::StatusOr<std::string> AdminService::Delete(const admin::v1::DeleteTenantRequest& request,
                                                 admin::v1::DeleteTenantResponse& response) {
  absl::MutexLock lock(&change_mu_);
  std::string before;
  absl::StatusOr<Arbiter::CheckedChange> checked = absl::UnknownError("not asked");
  const bool asked = loop_.Call([&] {
    before = TextOf(FindTenant(broker_.Report(), request.tenant()));
    checked = broker_.CheckTenantDeletion(request.tenant(), request.if_revision());
  });
  if (!asked) return IsEnding();
  KVB_RETURN_IF_ERROR(checked.status());
  KVB_ASSIGN_OR_RETURN(const BrokerReport report,
                       KeepAndMake(
                           *checked, [&] { broker_.DeleteTenant(request.tenant()); }, "the tenant is deleted"));
  response.set_revision(checked->revision);
  if (const BrokerReport::Tenant* tenant = FindTenant(report, request.tenant())) {
    response.set_configured(true);
    FillPolicy(tenant->policy, *response.mutable_policy());
  }
  return absl::StrCat(" before={", before, "} revision=", response.revision());
}

// ---------------------------------------------------------------- what is to happen once

grpc::Status AdminService::Trim(grpc::ServerContext* context, const admin::v1::TrimRequest* request,
                                admin::v1::TrimResponse* response) {
  return Audited(*context, absl::StrCat("Trim tenant=", Quoted(request->tenant())),
                 [&] { return TrimTo(*request, *context, *response); });
}

absl::StatusOr<std::string> AdminService::TrimTo(const admin::v1::TrimRequest& request,
                                                 const grpc::ServerContext& context,
                                                 admin::v1::TrimResponse& response) {
  const absl::Duration within =
      request.within_ms() == 0 ? kDefaultTrim : absl::Milliseconds(std::min<uint64_t>(request.within_ms(), UINT32_MAX));
  if (within > kLongestTrim) {
    return absl::InvalidArgumentError(absl::StrCat("a trim takes ", absl::FormatDuration(kLongestTrim),
                                                   " at most, not ", absl::FormatDuration(within)));
  }
  KVB_RETURN_IF_ERROR(Enter());
  const absl::Cleanup leave = [this] { Leave(); };
  const absl::Time begun = MonotonicNow();
  absl::StatusOr<Bytes> to = absl::UnknownError("not asked");
  std::optional<BrokerReport::Tenant> tenant;
  Bytes before;
  uint64_t number = 0;
  const auto look = [&] {
    const BrokerReport now = broker_.Report();
    const BrokerReport::Tenant* row = FindTenant(now, request.tenant());
    tenant = row == nullptr ? std::nullopt : std::optional(*row);
  };
  const bool asked = loop_.Call([&] {
    const BrokerReport now = broker_.Report();
    to = ToSize(request.to(), Whole(now));
    if (!to.ok()) return;
    const absl::Status begins = broker_.Squeeze(request.tenant(), *to, within);
    if (!begins.ok()) {
      to = begins;
      return;
    }
    before = FindTenant(now, request.tenant())->charged;
    look();
    number = tenant->squeezes;
  });
  if (!asked) return IsEnding();
  KVB_RETURN_IF_ERROR(to.status());
  response.set_before(before.in_bytes());
  const auto lasts = [&] {
    return tenant.has_value() && tenant->squeezed_to.has_value() && tenant->squeezes == number;
  };
  // Else it would bind the tenant though nobody waits for it.
  absl::Cleanup end = [&] {
    loop_.Call([&] {
      look();
      if (lasts()) broker_.EndSqueeze(request.tenant());
    });
  };
  while (lasts()) {
    // The broker ends it at its time; were it held up, this call ends all the same.
    if (MonotonicNow() > begun + within + kLongestPause) {
      return absl::DeadlineExceededError(absl::StrCat("the broker has not said what has become of it for ",
                                                      absl::FormatDuration(within + kLongestPause)));
    }
    KVB_RETURN_IF_ERROR(WaitUntil(MonotonicNow() + kTrimLook, context));
    if (context.IsCancelled()) return absl::CancelledError("the caller has left");
    if (!loop_.Call(look)) return IsEnding();
  }
  std::move(end).Cancel();
  if (!tenant.has_value()) {
    return absl::NotFoundError(absl::StrCat("tenant ", request.tenant(), " was deleted meanwhile"));
  }
  // By now it may have grown again.
  const Bytes after = tenant->held_after_squeeze;
  const absl::Duration took = MonotonicNow() - begun;
  response.set_after(after.in_bytes());
  response.set_took_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(took)));
  if (after > *to) {
    return absl::DeadlineExceededError(absl::StrCat("tenant ", request.tenant(), " holds ", ToString(after), " after ",
                                                    absl::FormatDuration(absl::Trunc(took, absl::Milliseconds(1))),
                                                    ", not ", ToString(*to), " (it held ",
                                                    ToString(Bytes(response.before())), ")"));
  }
  return absl::StrCat(" to=", to->in_bytes(), " before=", response.before(), " after=", response.after());
}

grpc::Status AdminService::Drain(grpc::ServerContext* context, const admin::v1::DrainRequest* request,
                                 admin::v1::DrainResponse* response) {
  return Audited(*context, request->off() ? "Drain off" : "Drain", [&]() -> absl::StatusOr<std::string> {
    absl::MutexLock lock(&change_mu_);
    KVB_RETURN_IF_ERROR(request->off() ? drain_mark_.Clear() : drain_mark_.Set());
    const bool made = loop_.Call([&] {
      broker_.Admit(request->off());
      response->set_sessions(static_cast<uint32_t>(broker_.Report().sessions.size()));
    });
    if (!made) return absl::UnavailableError("the broker is ending; it is kept for the next one");
    return absl::StrCat(" sessions=", response->sessions());
  });
}

grpc::Status AdminService::Detach(grpc::ServerContext* context, const admin::v1::DetachRequest*,
                                  admin::v1::DetachResponse*) {
  return Audited(*context, "Detach", [&] { return DetachNow(); });
}

absl::StatusOr<std::string> AdminService::DetachNow() {
  absl::MutexLock lock(&change_mu_);
  std::vector<BrokerReport::Session> sessions;
  // On the loop: nobody comes between the look and the door's closing, and the loop ends a little later.
  const bool asked = loop_.Call([&] {
    sessions = broker_.Report().sessions;
    if (!sessions.empty()) return;
    broker_.Admit(false);
    loop_.Stop();
  });
  if (!asked) return IsEnding();
  if (!sessions.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("there are sessions, which end with their processes: ", Names(sessions)));
  }
  // The next broker is there to be used.
  if (const absl::Status cleared = drain_mark_.Clear(); !cleared.ok()) LogWarning(cleared.message());
  return std::string();
}

grpc::Status AdminService::ForgetSession(grpc::ServerContext* context, const admin::v1::ForgetSessionRequest* request,
                                         admin::v1::ForgetSessionResponse* response) {
  return Audited(*context, absl::StrCat("ForgetSession session=", request->session_id()),
                 [&]() -> absl::StatusOr<std::string> {
                   absl::Status forgotten;
                   const bool asked = loop_.Call([&] {
                     for (const BrokerReport::Session& session : broker_.Report().sessions) {
                       if (session.id.value() == request->session_id()) response->set_held(session.charged.in_bytes());
                     }
                     forgotten = broker_.Forget(SessionId(request->session_id()));
                   });
                   if (!asked) return IsEnding();
                   KVB_RETURN_IF_ERROR(forgotten);
                   return absl::StrCat(" held=", response->held());
                 });
}

}  // namespace kvbroker
