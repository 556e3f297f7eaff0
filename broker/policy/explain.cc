#include "broker/policy/explain.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "broker/policy/saturating.h"

namespace kvbroker {
namespace {

constexpr size_t kMostNames = 5;

// "12.0 GiB", "0.5 GiB", and below a tenth of one "64 MiB".
std::string Size(Bytes bytes) {
  constexpr double kGiB = 1 << 30;
  const auto count = static_cast<double>(bytes.in_bytes());
  if (count >= kGiB / 10) return absl::StrFormat("%.1f GiB", count / kGiB);
  return absl::StrFormat("%d MiB", bytes.in_bytes() >> 20);
}

class Explainer {
 public:
  Explainer(const PolicySnapshot& snapshot, const PolicyPlan& plan, size_t lease)
      : snapshot_(snapshot),
        plan_(plan),
        lease_(snapshot.leases[lease]),
        verdict_(plan.verdicts[lease]),
        tenant_(snapshot.tenants[lease_.tenant]),
        share_(plan.shares[lease_.tenant]) {}

  std::string Sentence() const {
    switch (verdict_.rule) {
      case Rule::kMet:
        return absl::StrCat(Who(), " has all that this arena wants, ", Size(Times(lease_.slot, lease_.wanted)));
      case Rule::kLimit:
        if (tenant_.MayHold() != tenant_.policy.limit) {
          return absl::StrCat(Who(), " is being trimmed to ", Size(*tenant_.squeezed_to), " by an operator, and wants ",
                              Size(Wanted()));
        }
        return absl::StrCat(Who(), " is at its limit, ", Size(tenant_.policy.limit.value_or(kMostBytes)),
                            ", and wants ", Size(Wanted()));
      case Rule::kImpossible:
        return Impossible();
      case Rule::kShare:
        return absl::StrCat(HasOf("its fair share"), ": ", Contenders());
      case Rule::kClass:
        return absl::StrCat(HasOf("what is left to its class"), ": ", Because(), " of class ",
                            ToString(Other().policy.tenant_class), " comes first");
      case Rule::kTurn:
        return absl::StrCat(HasOf("less than its fair share"), ": it is the turn of ", Because(),
                            ", one request of which needs ", Size(Other().floor));
      case Rule::kGuarantee:
        return absl::StrCat(Holds(), ": what is left is ", Because(), "'s guarantee of ",
                            Size(Other().policy.guarantee), ", and could not be had back in time");
      case Rule::kReserved:
        return absl::StrCat(Holds(), ": what is left is ", Because(), "'s reserve of ", Size(Other().policy.reserved));
      case Rule::kMissedTarget:
        return absl::StrCat(Who(), " does not grow: a session of it holds ", Size(Session().Held()),
                            " and was asked to hold ", Size(Session().target.value_or(Session().Held())));
      case Rule::kRoom:
        return absl::StrCat(Holds(), ": room for memory outside the broker comes first, ", Size(snapshot_.room_short),
                            " of it are missing");
      case Rule::kOnItsWay:
        return absl::StrCat(Holds(), " and should have ", Size(share_.owed), ": ", Size(OnItsWay()),
                            " are on their way back",
                            verdict_.because_of.has_value() ? absl::StrCat(", most of it from ", Because()) : "");
      case Rule::kFull:
        return absl::StrCat(Holds(), ": the device is full, and nobody has more than its share");
    }
    return "";
  }

 private:
  const PolicySnapshot::Session& Session() const { return snapshot_.sessions[lease_.session]; }
  const PolicySnapshot::Tenant& Other() const { return snapshot_.tenants[verdict_.because_of.value_or(lease_.tenant)]; }
  std::string Who() const { return absl::StrCat("tenant ", tenant_.name); }
  std::string Because() const { return absl::StrCat("tenant ", Other().name); }

  Bytes Held() const { return MinusOrZero(tenant_.charged, tenant_.returned); }
  // Without its limit.
  Bytes Wanted() const {
    Bytes sum;
    for (const PolicySnapshot::Lease& lease : snapshot_.leases) {
      if (lease.tenant == lease_.tenant) sum = Plus(sum, Times(lease.slot, lease.wanted));
    }
    return sum;
  }
  std::string Holds() const {
    return absl::StrCat(Who(), " holds ", Size(Held()), " of the ", Size(share_.wanted), " it wants");
  }
  std::string HasOf(const std::string& what) const {
    const std::string more = share_.owed < share_.entitled ? absl::StrCat(", and may have ", Size(share_.entitled),
                                                                          " once it uses the idle bytes that it holds")
                                                           : "";
    const Bytes has = std::max(share_.owed, std::min(Held(), share_.entitled));
    return absl::StrCat(Who(), " has ", what, ", ", Size(has), " of the ", Size(share_.wanted), " it wants", more);
  }

  std::string Impossible() const {
    const Bytes needed = Times(lease_.slot, lease_.Least());
    if (tenant_.policy.limit.has_value() && needed > *tenant_.policy.limit) {
      return absl::StrCat(Who(), " can use no less than ", Size(needed), " more, and its limit is ",
                          Size(*tenant_.policy.limit));
    }
    return absl::StrCat(Who(), " can use no less than ", Size(needed), " more, and the device has ",
                        Size(snapshot_.capacity));
  }

  std::string Contenders() const {
    std::vector<std::string> names;
    size_t others = 0;
    Bytes wanted;
    for (size_t i = 0; i < plan_.shares.size(); ++i) {
      if (plan_.shares[i].wanted.IsZero()) continue;
      wanted = Plus(wanted, plan_.shares[i].wanted);
      if (names.size() < kMostNames) {
        names.push_back(snapshot_.tenants[i].name);
      } else {
        ++others;
      }
    }
    const std::string more = others > 0 ? absl::StrCat(" and ", others, " more") : "";
    return absl::StrCat(names.size() == 1 ? "tenant " : "tenants ", absl::StrJoin(names, ", "), more,
                        names.size() == 1 ? " wants " : " want ", Size(wanted), " of ", Size(snapshot_.capacity));
  }

  Bytes OnItsWay() const {
    Bytes sum = plan_.asked;
    for (const PolicySnapshot::Tenant& tenant : snapshot_.tenants) sum = Plus(sum, tenant.returned);
    return sum;
  }

  const PolicySnapshot& snapshot_;
  const PolicyPlan& plan_;
  const PolicySnapshot::Lease& lease_;
  const PolicyPlan::Verdict& verdict_;
  const PolicySnapshot::Tenant& tenant_;
  const PolicyPlan::Share& share_;
};

}  // namespace

std::string RuleName(Rule rule) {
  switch (rule) {
    case Rule::kMet:
      return "met";
    case Rule::kLimit:
      return "limit";
    case Rule::kImpossible:
      return "impossible";
    case Rule::kShare:
      return "share";
    case Rule::kClass:
      return "class";
    case Rule::kTurn:
      return "turn";
    case Rule::kGuarantee:
      return "guarantee";
    case Rule::kReserved:
      return "reserved";
    case Rule::kMissedTarget:
      return "missed_target";
    case Rule::kRoom:
      return "room";
    case Rule::kOnItsWay:
      return "on_its_way";
    case Rule::kFull:
      return "full";
  }
  return "unknown";
}

std::string Explain(const PolicySnapshot& snapshot, const PolicyPlan& plan, size_t lease) {
  return Explainer(snapshot, plan, lease).Sentence();
}

}  // namespace kvbroker
