#include "tests/sim/guarantee_sim.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/sim/sim_engine.h"

namespace kvbroker::sim {
namespace {

std::string GuaranteedName(uint64_t i) { return absl::StrCat("g", i); }
std::string BorrowerName(uint64_t i) { return absl::StrCat("b", i); }

// An engine's thoughts: bursts of want, within its guarantee most of the time, and rest.
SimEngine::Script Bursts(uint64_t guaranteed, uint64_t slots) {
  struct State {
    absl::Time next;
    uint64_t goal = 0;
    bool bit_by_bit = false;
    uint64_t min_useful = 0;
    uint64_t want = 0, ahead = 0;
  };
  return [guaranteed, slots, state = std::make_shared<State>()](SimEngine& engine) {
    Rng& rng = engine.rng();
    if (engine.now() >= state->next) {
      state->next = engine.now() + rng.UpTo(absl::Seconds(8));
      state->goal = rng.Chance(35) ? 0 : rng.Chance(80) ? rng.Between(1, guaranteed) : rng.Between(1, slots);
      state->bit_by_bit = rng.Chance(40);
      state->want = 0;
      state->min_useful = state->bit_by_bit || rng.Chance(50) ? 0 : rng.Between(1, 4);
      engine.Use(engine.mapped(), engine.now());
      if (engine.mapped() > state->goal) engine.Return(engine.mapped() - state->goal);
    }
    // Bit by bit: some more as soon as it has the half of what it wanted more.
    uint64_t want = state->goal;
    if (state->bit_by_bit) {
      if (engine.mapped() + state->ahead / 2 >= state->want) {
        state->ahead = rng.Between(1, 4);
        state->want = engine.mapped() + state->ahead;
      }
      want = std::min(want, state->want);
    }
    engine.Want(want, std::min(state->min_useful, want));
  };
}

// Wants all there is, and uses now this much of it, now that.
SimEngine::Script Borrows(uint64_t slots) {
  auto next = std::make_shared<absl::Time>();
  return [slots, next](SimEngine& engine) {
    engine.Want(slots);
    if (engine.now() < *next) return;
    *next = engine.now() + engine.rng().UpTo(absl::Seconds(2));
    const uint64_t revocable = engine.mapped() - std::min<uint64_t>(engine.pinned(), engine.mapped());
    engine.Use(engine.rng().Below(revocable + 1), engine.now() - engine.rng().UpTo(absl::Minutes(5)));
    engine.ReportNow();
  };
}

}  // namespace

GuaranteeSim::Scenario GuaranteeSim::Choose(Rng& rng, const Options& options) {
  Scenario s;
  s.slot = rng.Among(std::vector{MiB(8), MiB(32), MiB(128)});
  s.slots = rng.Between(60, 200);
  SimBroker::Options& broker = s.broker;
  broker.trace = options.trace;
  broker.device = {
      .total = s.slot * s.slots,
      .slowest_free = rng.Among(std::vector{absl::Microseconds(100), absl::Milliseconds(2), absl::Milliseconds(10)})};
  broker.slowest_channel = rng.Among(std::vector{absl::Microseconds(50), absl::Milliseconds(1), absl::Milliseconds(3)});
  broker.slowest_worker = rng.Among(std::vector{absl::Microseconds(50), absl::Milliseconds(1)});
  // There and back, the driver, looks until it shows.
  s.way =
      3 * broker.slowest_channel + 8 * broker.slowest_worker + 3 * broker.device.slowest_free + absl::Milliseconds(10);
  s.guaranteed = rng.Between(1, 2);
  s.borrowers = rng.Between(1, 3);
  uint64_t left = s.slots;
  for (uint64_t i = 0; i < s.guaranteed; ++i) {
    TenantPolicy& policy = broker.arbiter.tenants[GuaranteedName(i)];
    const uint64_t slots = rng.Between(1, left * 6 / 10);
    left -= slots;
    policy.guarantee = s.slot * slots;
    if (rng.Chance(30)) policy.reserved = s.slot * rng.Below(slots);
    policy.guarantee_deadline =
        s.way + rng.Among(std::vector{absl::Milliseconds(50), absl::Milliseconds(200), absl::Seconds(1)});
    s.shortest_deadline = std::min(s.shortest_deadline, policy.guarantee_deadline);
    if (rng.Chance(30)) policy.weight = 300;
    if (rng.Chance(20)) policy.tenant_class = TenantClass::kBatch;
  }
  for (uint64_t i = 0; i < s.borrowers; ++i) {
    TenantPolicy& policy = broker.arbiter.tenants[BorrowerName(i)];
    policy.tenant_class = rng.Among(std::vector{TenantClass::kInteractive, TenantClass::kInteractive,
                                                TenantClass::kBatch, TenantClass::kBestEffort});
    if (rng.Chance(30)) policy.weight = 300;
    if (!options.honest && rng.Chance(20)) policy.missed_target = MissedTarget::kEndProcess;
  }
  return s;
}

GuaranteeSim::Result& GuaranteeSim::Result::operator+=(const Result& other) {
  steps += other.steps;
  waits += other.waits;
  misses += other.misses;
  noted += other.noted;
  accused += other.accused;
  accused_wrongly += other.accused_wrongly;
  unexplained += other.unexplained;
  return *this;
}

GuaranteeSim::GuaranteeSim(const Options& options)
    : options_(options),
      rng_(options.seed * 2 + (options.honest ? 0 : 1)),
      scenario_(Choose(rng_, options)),
      policy_(fair_policy_),
      broker_(scenario_.broker, policy_, timeline_, rng_) {
  broker_.OnStep([this](const Event& event, const std::vector<Effect>& effects) { CheckStep(event, effects); });
}

void GuaranteeSim::AddClients() {
  int64_t pid = 1;
  const SimClient::Traits base = {.thinks = absl::Milliseconds(40),
                                  .imports = absl::Microseconds(500),
                                  .releases = absl::Milliseconds(1),
                                  .wants_within_target = false,
                                  .unit = scenario_.slot};
  for (uint64_t i = 0; i < scenario_.guaranteed; ++i) {
    SimClient::Traits traits = base;
    traits.responds = rng_.UpTo(scenario_.shortest_deadline - scenario_.way);
    traits.claims_to_respond = traits.responds + absl::Milliseconds(2);
    const uint64_t slots = scenario_.broker.arbiter.tenants.at(GuaranteedName(i)).guarantee / scenario_.slot;
    broker_.Add(std::make_unique<SimEngine>(broker_.world(), traits, pid++, GuaranteedName(i), scenario_.slots,
                                            Bursts(slots, scenario_.slots)));
  }
  for (uint64_t i = 0; i < scenario_.borrowers; ++i) {
    for (uint64_t n = rng_.Between(1, 2); n > 0; --n) {
      SimClient::Traits traits = base;
      traits.responds = rng_.UpTo(scenario_.shortest_deadline - scenario_.way);
      traits.claims_to_respond = traits.responds + absl::Milliseconds(2);
      const bool honest = options_.honest || rng_.Chance(40);
      const uint64_t how = honest ? UINT64_MAX : rng_.Below(3);
      if (how == 0) traits.responds = SimClient::kNever;
      if (how == 1) traits.responds = absl::Seconds(5);
      auto engine = std::make_unique<SimEngine>(broker_.world(), traits, pid++, BorrowerName(i), scenario_.slots,
                                                Borrows(scenario_.slots));
      if (how == 2) {
        engine->claims_spare = true;
        engine->pins_of_new = 100;
      } else if (rng_.Chance(30) && options_.pins) {
        engine->pins_of_new = rng_.Below(50);
      }
      engine->to_blame = !honest;
      broker_.Add(std::move(engine));
    }
  }
}

GuaranteeSim::Result GuaranteeSim::Run() {
  AddClients();
  broker_.RunFor(options_.length);
  for (const BrokerReport::Tenant& tenant : broker_.Report().tenants) {
    result_.noted += tenant.assured_misses;
    result_.waits += tenant.assured_waits;
  }
  result_.steps = broker_.steps();
  result_.failure = broker_.failure();
  result_.last = broker_.last();
  return std::move(result_);
}

void GuaranteeSim::CheckStep(const Event&, const std::vector<Effect>& effects) {
  if (options_.trace) broker_.Trace(Describe(policy_.snapshot(), policy_.plan()));
  if (policy_.wrong().has_value()) return broker_.Fail(*policy_.wrong());
  if (std::exchange(plans_seen_, policy_.plans()) == policy_.plans()) return;
  CheckDue();
  for (const Effect& effect : effects) {
    const auto* note = std::get_if<effect::Note>(&effect);
    if (note != nullptr && note->text.rfind("guarantee missed ", 0) == 0) CheckMiss(note->text);
  }
  if (broker_.steps() % 16 != 0) return;
  const BrokerReport report = broker_.Report();
  if (report.charged + broker_.device().others_shrank() + report.counters.written_off < broker_.device().issued()) {
    broker_.Fail(absl::StrCat("charged ", ToString(report.charged), " and out ", ToString(broker_.device().issued())));
  }
}

void GuaranteeSim::CheckDue() {
  const PolicySnapshot& snapshot = policy_.snapshot();
  for (const PolicySnapshot::Lease& lease : snapshot.leases) {
    const PolicySnapshot::Tenant& tenant = snapshot.tenants[lease.tenant];
    if (tenant.policy.assured().IsZero()) continue;
    uint64_t held = lease.held;
    for (const PolicyPlan::Grant& grant : policy_.plan().grants) {
      if (grant.lease == lease.id) held += grant.slots;
    }
    const uint64_t most = std::min(lease.wanted, tenant.policy.assured() / lease.slot);
    const Bytes level = lease.slot * (lease.held + lease.Least() <= most ? most : std::min(most, held));
    Due& due = due_[tenant.name];
    const absl::Time now = timeline_.now();
    due.levels.push_back({now, level});
    while (due.levels.size() > 1 && due.levels[1].first <= now - tenant.policy.guarantee_deadline) {
      due.levels.pop_front();
    }
    if (due.levels.front().first > now - tenant.policy.guarantee_deadline) continue;
    const auto least = std::min_element(due.levels.begin(), due.levels.end(),
                                        [](const auto& a, const auto& b) { return a.second < b.second; });
    const bool missed =
        lease.slot * (held + std::max<uint64_t>(1, held > lease.held ? 1 : lease.Least())) <= least->second;
    if (missed && !due.missed) {
      ++result_.misses;
      if (options_.honest && options_.strict) {
        broker_.Fail(absl::StrCat("tenant ", tenant.name, " holds ", ToString(lease.slot * held), ", should have ",
                                  ToString(least->second), " for ",
                                  absl::FormatDuration(now - due.levels.front().first)));
      }
    }
    due.missed = missed;
  }
}

void GuaranteeSim::CheckMiss(const std::string& note) {
  bool found = false;
  for (const absl::string_view part : absl::StrSplit(note, "session=")) {
    const size_t digits = part.find_first_not_of("0123456789");
    uint64_t session = 0;
    if (!absl::SimpleAtoi(part.substr(0, digits), &session)) continue;
    const auto& engine = static_cast<const SimEngine&>(broker_.ClientOf(SessionId(session)));
    ++result_.accused;
    found = found || engine.to_blame;
    if (!engine.to_blame) ++result_.accused_wrongly;
  }
  if (!found) ++result_.unexplained;
  if (!found && !options_.honest && options_.strict)
    broker_.Fail(absl::StrCat("nobody who is to blame is named: ", note));
}

}  // namespace kvbroker::sim
