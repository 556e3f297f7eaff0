#include "cli/exporter/families.h"

#include <prometheus/metric_type.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <utility>

namespace kvbroker::cli {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// Each has its row, though no session is in it: an alert on what is not there never ends.
constexpr std::array<const char*, 4> kStates = {"active", "lost", "poisoned", "draining"};

class Collector {
 public:
  // All that is added from now on is of this device.
  void Begin(const BrokerView& broker) { device_ = {{"gpu", broker.gpu}, {"UUID", broker.uuid}}; }

  void Gauge(const std::string& name, const std::string& help, double value, const Labels& labels = {}) {
    Add(name, help, MetricType::Gauge, labels).gauge.value = value;
  }
  void Counter(const std::string& name, const std::string& help, double value, const Labels& labels = {}) {
    Add(name, help, MetricType::Counter, labels).counter.value = value;
  }
  void Histogram(const std::string& name, const std::string& help, const admin::v1::Latencies& from,
                 const Labels& labels) {
    if (from.count_size() != from.upper_bound_s_size() + 1) return;  // an older broker has none
    ClientMetric::Histogram& histogram = Add(name, help, MetricType::Histogram, labels).histogram;
    for (int i = 0; i < from.count_size(); ++i) {
      histogram.sample_count += from.count(i);
      if (i < from.upper_bound_s_size()) {
        histogram.bucket.push_back({.cumulative_count = histogram.sample_count, .upper_bound = from.upper_bound_s(i)});
      }
    }
    histogram.sample_sum = from.sum_s();
  }

  std::vector<prometheus::MetricFamily> Take() {
    std::vector<prometheus::MetricFamily> all;
    for (auto& [name, family] : families_) all.push_back(std::move(family));
    return all;
  }

 private:
  ClientMetric& Add(const std::string& name, const std::string& help, MetricType type, const Labels& labels) {
    prometheus::MetricFamily& family = families_[name];
    if (family.metric.empty()) family = {.name = "kvbroker_" + name, .help = help, .type = type, .metric = {}};
    ClientMetric& metric = family.metric.emplace_back();
    metric.label = device_;
    metric.label.insert(metric.label.end(), labels.begin(), labels.end());
    return metric;
  }

  Labels device_;
  std::map<std::string, prometheus::MetricFamily> families_;
};

double Bytes(uint64_t bytes) { return static_cast<double>(bytes); }
double Seconds(uint64_t milliseconds) { return static_cast<double>(milliseconds) / 1000; }

void AddBroker(const admin::v1::Status& status, double now_s, Collector& to) {
  to.Gauge("build_info", "1; the version is a label.", 1, {{"version", status.version()}});
  to.Gauge("start_time_seconds", "When the broker started, since 1970.", now_s - Seconds(status.uptime_ms()));
  to.Gauge("epoch", "How many brokers the device has had since the machine started.",
           static_cast<double>(status.epoch()));
  to.Gauge("zeroing_verified", "1 where memory that is given out anew was seen to be zeroed.",
           status.zeroing() == "verified" ? 1 : 0);
  to.Gauge("policy_revision", "Grows with each change of a tenant's policy.",
           static_cast<double>(status.memory().policy_revision()));
  to.Gauge("drained", "1 where no new sessions are admitted (kvctl drain).", status.refuses_new_sessions() ? 1 : 0);
}

void AddMemory(const admin::v1::Memory& memory, Collector& to) {
  to.Gauge("memory_total_bytes", "The device's memory.", Bytes(memory.total()));
  to.Gauge("memory_free_bytes", "What the device shows as free.", Bytes(memory.driver_free()));
  to.Gauge("memory_capacity_bytes", "The most that may be lent as things are.", Bytes(memory.capacity()));
  to.Gauge("memory_headroom_bytes", "Never lent.", Bytes(memory.headroom()));
  to.Gauge("memory_granted_bytes", "Charged to sessions, what is on its way included.", Bytes(memory.granted()));
  to.Gauge("memory_draining_bytes", "Of the granted bytes: given back, or of ended sessions, and not seen as free yet.",
           Bytes(memory.draining()));
  to.Gauge("memory_room_bytes", "Held back for memory outside the broker.", Bytes(memory.room()));
  to.Gauge("memory_others_bytes", "Used by programs outside.", Bytes(memory.used_by_others()));
  to.Gauge("memory_broker_bytes", "The broker's own share of the device.", Bytes(memory.used_by_broker()));
  to.Gauge("memory_waiting_bytes", "Wanted, within the limits, and not granted.", Bytes(memory.waiting()));
  to.Gauge("memory_asked_back_bytes", "Asked back from sessions, and not given back yet.", Bytes(memory.asked_back()));
  to.Gauge("memory_guarantee_at_risk_bytes", "Guarantees that could not be had back in time now.",
           Bytes(memory.guarantee_at_risk()));
}

void AddCounters(const admin::v1::Counters& counters, Collector& to) {
  const auto count = [&](const char* name, const char* help, uint64_t value) {
    to.Counter(name, help, static_cast<double>(value));
  };
  count("grants_total", "Grants.", counters.grants());
  count("granted_slots_total", "Slots that were granted.", counters.granted_slots());
  count("refusals_total", "Connections and messages that were answered with an error.", counters.refusals());
  count("create_failures_total", "Times that the device had no memory for what was granted.",
        counters.create_failures());
  count("sessions_opened_total", "Sessions that were opened.", counters.sessions_opened());
  count("sessions_ended_total", "Sessions that ended.", counters.sessions_ended());
  count("written_off_bytes_total", "Given back and in use all the same: taken for others' since.",
        counters.written_off());
}

void AddTenant(const admin::v1::Tenant& tenant, Collector& to) {
  const Labels labels = {{"tenant", tenant.name()}};
  const auto bytes = [&](const std::string& name, const char* help, uint64_t value) {
    to.Gauge("tenant_" + name + "_bytes", help, Bytes(value), labels);
  };
  bytes("granted", "What the tenant holds.", tenant.granted());
  bytes("wanted", "What it could use.", tenant.wanted());
  bytes("share", "What it should have now, by the policy.", tenant.entitled());
  bytes("peak", "The most that it ever held since the broker's start.", tenant.peak());
  bytes("floor", "What one of its longest requests needs; 0: unknown.", tenant.floor());
  bytes("external", "What its engines hold outside their arenas.", tenant.external());
  bytes("trimmable", "Of the external bytes: kept without being used.", tenant.trimmable());
  bytes("reserved", "Never lent to others.", tenant.policy().reserved());
  bytes("guarantee", "Lent while it is not used, and back within the deadline.", tenant.policy().guarantee());
  if (!tenant.policy().unlimited()) bytes("limit", "Never exceeded; none: no limit.", tenant.policy().limit());
  to.Gauge("tenant_weight", "Of its share.", tenant.policy().weight(), labels);
  to.Gauge("tenant_sessions", "Sessions it has.", tenant.sessions(), labels);
  to.Gauge("tenant_has_turn", "1 while its longest request comes before others' shares.", tenant.has_turn() ? 1 : 0,
           labels);

  const auto count = [&](const std::string& name, const char* help, double value) {
    to.Counter("tenant_" + name + "_total", help, value, labels);
  };
  count("waited_seconds", "With a want that was not met, though its limit allows it.", Seconds(tenant.waited_ms()));
  count("starved_seconds", "Of the seconds waited: with less than one longest request needs.",
        Seconds(tenant.starved_ms()));
  count("guarantee_waits", "Times that it waited for what is assured to it.",
        static_cast<double>(tenant.guarantee_waits()));
  count("guarantee_wait_seconds", "How long that was.", Seconds(tenant.guarantee_wait_ms()));
  count("guarantee_misses", "Times that it waited longer than the deadline.",
        static_cast<double>(tenant.guarantee_misses()));
  count("missed_targets", "Times that one of its sessions did not give back in time.",
        static_cast<double>(tenant.missed_targets()));
  count("reclaimed_bytes", "What its sessions gave back because they were asked to.", Bytes(tenant.reclaimed()));
  to.Histogram("tenant_grant_seconds", "From a want to the grant that met it.", tenant.grants(), labels);
  to.Histogram("tenant_reclaim_seconds", "From asking a session until it held no more than it was asked to.",
               tenant.reclaims(), labels);
}

// By what it would cost to give it back; the names are those of docs/policy.md.
std::map<std::string, uint64_t> ByPrice(const admin::v1::Holding& holding) {
  static constexpr std::array<const char*, 8> kCached = {"cached_1s", "cached_4s",  "cached_16s", "cached_1m",
                                                         "cached_4m", "cached_16m", "cached_1h",  "cached_older"};
  std::map<std::string, uint64_t> prices = {{"spare", holding.spare()},
                                            {"free", holding.free()},
                                            {"compactable", holding.compactable()},
                                            {"preemptible", holding.preemptible()},
                                            {"pinned", holding.pinned()}};
  for (size_t age = 0; age < kCached.size(); ++age) {
    const int index = static_cast<int>(age);
    prices[kCached[age]] = index < holding.cached_by_age_size() ? holding.cached_by_age(index) : 0;
  }
  return prices;
}

void AddSessions(const admin::v1::ListSessionsResponse& sessions, Collector& to) {
  struct Sums {
    std::map<std::string, uint64_t> holding;
    uint64_t refault = 0;
    uint64_t over_target = 0;
  };
  struct State {
    uint64_t sessions = 0;
    uint64_t bytes = 0;
  };
  std::map<std::string, Sums> tenants;
  std::map<std::string, State> states;
  for (const char* state : kStates) states[state];
  for (const admin::v1::Session& session : sessions.sessions()) {
    Sums& sums = tenants[session.tenant()];
    for (const auto& [price, bytes] : ByPrice(session.holding())) sums.holding[price] += bytes;
    sums.refault += session.holding().refault();
    sums.over_target += session.granted() - std::min(session.granted(), session.target());
    State& state = states[session.state()];
    ++state.sessions;
    state.bytes += session.granted();
  }
  for (const auto& [tenant, sums] : tenants) {
    for (const auto& [price, bytes] : sums.holding) {
      to.Gauge("tenant_holding_bytes", "What its engines hold, by what giving it back would cost.", Bytes(bytes),
               {{"tenant", tenant}, {"price", price}});
    }
    to.Gauge("tenant_refault_bytes", "Computed again since it had been given back, of the arenas that are open.",
             Bytes(sums.refault), {{"tenant", tenant}});
    to.Gauge("tenant_over_target_bytes", "What its sessions hold beyond their targets.", Bytes(sums.over_target),
             {{"tenant", tenant}});
  }
  for (const auto& [name, state] : states) {
    to.Gauge("sessions", "Sessions by state.", static_cast<double>(state.sessions), {{"state", name}});
    to.Gauge("session_bytes", "What sessions hold, by their state.", Bytes(state.bytes), {{"state", name}});
  }
}

}  // namespace

std::vector<prometheus::MetricFamily> FamiliesOf(const std::vector<BrokerView>& brokers, double now_s) {
  Collector collector;
  for (const BrokerView& broker : brokers) {
    collector.Begin(broker);
    collector.Gauge("up", "1 where the device's broker answers.", broker.answers.has_value() ? 1 : 0);
    if (!broker.answers.has_value()) continue;
    AddBroker(broker.answers->status, now_s, collector);
    AddMemory(broker.answers->status.memory(), collector);
    AddCounters(broker.answers->status.counters(), collector);
    for (const admin::v1::Tenant& tenant : broker.answers->tenants.tenants()) AddTenant(tenant, collector);
    AddSessions(broker.answers->sessions, collector);
  }
  return collector.Take();
}

}  // namespace kvbroker::cli
