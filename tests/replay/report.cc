#include "tests/replay/report.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/replay/json.h"
#include "tests/replay/share_meter.h"

namespace kvbroker::replay {
namespace {

constexpr double kGiga = 1e9;

double ShareOf(Bytes part, Bytes whole) {
  return whole.IsZero() ? 0 : static_cast<double>(part.in_bytes()) / static_cast<double>(whole.in_bytes());
}

// "12.3 GiB": one digit after the point is enough in a table.
std::string Short(Bytes bytes) {
  const double n = static_cast<double>(bytes.in_bytes());
  if (n >= 0x1p30) return absl::StrFormat("%.1f GiB", n / 0x1p30);
  if (n >= 0x1p20) return absl::StrFormat("%.0f MiB", n / 0x1p20);
  return ToString(bytes);
}

std::string Milliseconds(double ms) { return absl::StrFormat("%.*f", ms < 10 ? 2 : ms < 100 ? 1 : 0, ms); }

std::string Rate(double bytes_a_second) {
  return bytes_a_second > 0 ? absl::StrFormat("%.1f", bytes_a_second / kGiga) : "-";
}

// Columns as wide as their widest cell; the first is flush left, the others right.
std::string Aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows[0].size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      absl::StrAppend(&out, i == 0 ? "" : "  ", i == 0 ? row[i] : padding, i == 0 ? padding : row[i]);
    }
    out += '\n';
  }
  return out;
}

std::vector<std::string> Row(const std::string& name, const std::string& peak, const std::string& limit,
                             const Result& result) {
  const Summary waits = Summarize(result.waits_ms);
  const double speed =
      result.pattern_seconds > 0 ? static_cast<double>(result.filled + result.verified) / result.pattern_seconds : 0;
  return {name,
          peak,
          limit,
          absl::StrCat(result.done, "/", result.arrived),
          absl::StrCat(result.preemptions),
          absl::StrCat(waits.count, "/", result.takes),
          waits.count > 0 ? Milliseconds(waits.p50) : "-",
          waits.count > 0 ? Milliseconds(waits.p99) : "-",
          waits.count > 0 ? Milliseconds(waits.max) : "-",
          Short(Bytes(result.mapped)),
          Short(Bytes(result.unmapped)),
          Rate(result.mean_growth),
          Rate(speed),
          absl::StrCat(result.refusals),
          Short(Bytes(result.verified)),
          absl::StrCat(result.wrong_words)};
}

// Of what it needed while it was busy, what it had; 1 where it needed nothing.
double ShareHad(const Result& result) { return result.busy_needed > 0 ? result.busy_held / result.busy_needed : 1; }

std::vector<std::string> GiveBackRow(const std::string& name, const Result& result) {
  const Summary answers = Summarize(result.answers_ms);
  return {name,
          Short(Bytes(result.peak_cached)),
          absl::StrCat(result.evicted_blocks),
          absl::StrCat(result.targets),
          absl::StrCat(result.targets_answered),
          absl::StrCat(result.targets_late),
          answers.count > 0 ? Milliseconds(answers.p50) : "-",
          answers.count > 0 ? Milliseconds(answers.p99) : "-",
          Short(Bytes(result.reclaimed)),
          absl::StrCat(result.preempted_for_target),
          Short(Bytes(result.refault)),
          absl::StrFormat("%.0f %%", 100 * ShareHad(result))};
}

std::string GiveBackTable(const std::vector<TenantReport>& tenants, const Result& total) {
  std::vector<std::vector<std::string>> rows = {{"given back", "most cached", "evicted", "asked", "answered", "late",
                                                 "p50 ms", "p99 ms", "reclaimed", "preempted", "refault", "had"}};
  for (const TenantReport& tenant : tenants) rows.push_back(GiveBackRow(tenant.name, tenant.result));
  rows.push_back(GiveBackRow("sum", total));
  return Aligned(rows);
}

// Did the broker ask for anything, or did anybody keep what could be asked for?
bool HasGiveBack(const Result& total) { return total.targets > 0 || total.peak_cached > 0; }

// The tenants' results as if they were one's.
Result Total(const std::vector<TenantReport>& tenants) {
  Result sum;
  double grown = 0;
  for (const TenantReport& tenant : tenants) {
    const Result& result = tenant.result;
    sum.arrived += result.arrived;
    sum.done += result.done;
    sum.unfinished += result.unfinished;
    sum.too_large += result.too_large;
    sum.preemptions += result.preemptions;
    sum.preempted_for_target += result.preempted_for_target;
    sum.refault += result.refault;
    sum.tokens += result.tokens;
    sum.takes += result.takes;
    sum.waits_ms.insert(sum.waits_ms.end(), result.waits_ms.begin(), result.waits_ms.end());
    sum.filled += result.filled;
    sum.verified += result.verified;
    sum.pattern_seconds += result.pattern_seconds;
    sum.wrong_words += result.wrong_words;
    sum.evicted_blocks += result.evicted_blocks;
    sum.targets += result.targets;
    sum.targets_answered += result.targets_answered;
    sum.targets_late += result.targets_late;
    sum.reclaimed += result.reclaimed;
    sum.answers_ms.insert(sum.answers_ms.end(), result.answers_ms.begin(), result.answers_ms.end());
    sum.busy_held += result.busy_held;
    sum.busy_needed += result.busy_needed;
    sum.peak_cached += result.peak_cached;
    sum.mapped += result.mapped;
    sum.unmapped += result.unmapped;
    sum.growing_seconds += result.growing_seconds;
    grown += result.mean_growth * result.growing_seconds;
    sum.refusals += result.refusals;
  }
  sum.mean_growth = sum.growing_seconds > 0 ? grown / sum.growing_seconds : 0;
  return sum;
}

void WriteSummary(JsonWriter& json, const Summary& summary) {
  json.BeginObject();
  json.Field("count", summary.count).Field("mean", summary.mean).Field("p50", summary.p50).Field("p99", summary.p99);
  json.Field("max", summary.max).EndObject();
}

void WriteGiveBack(JsonWriter& json, const Result& result) {
  json.Key("give_back").BeginObject();
  json.Field("targets", result.targets).Field("answered", result.targets_answered).Field("late", result.targets_late);
  json.Key("answer_ms");
  WriteSummary(json, Summarize(result.answers_ms));
  json.Field("reclaimed", result.reclaimed).Field("preempted", result.preempted_for_target);
  json.Field("refault", result.refault).Field("evicted_blocks", result.evicted_blocks);
  json.Field("share_had", ShareHad(result)).EndObject();
}

void WriteTenant(JsonWriter& json, const Report& report, size_t i) {
  const TenantReport& tenant = report.tenants[i];
  const Result& result = tenant.result;
  json.BeginObject().Field("tenant", tenant.name).Field("peak_held", report.peak(i)).Key("limit");
  tenant.limit ? json.Value(*tenant.limit) : json.Null();
  json.Field("demand", tenant.demand).Field("seconds", result.seconds);
  json.Key("requests").BeginObject();
  json.Field("arrived", result.arrived).Field("done", result.done).Field("unfinished", result.unfinished);
  json.Field("too_large", result.too_large).Field("preemptions", result.preemptions).EndObject();
  json.Field("tokens", result.tokens).Field("steps", result.steps);
  json.Field("takes", result.takes).Key("waited_ms");
  WriteSummary(json, Summarize(result.waits_ms));
  WriteGiveBack(json, result);
  json.Key("growth").BeginObject();
  json.Field("mapped", result.mapped).Field("unmapped", result.unmapped);
  json.Field("growing_seconds", result.growing_seconds).Field("mean_bytes_per_second", result.mean_growth);
  json.Field("best_bytes_per_second", result.best_growth).EndObject();
  json.Field("peak_mapped", result.peak_mapped).Field("peak_in_blocks", result.peak_in_blocks);
  json.Field("peak_cached", result.peak_cached);
  json.Key("pattern").BeginObject();
  json.Field("filled", result.filled).Field("verified", result.verified).Field("seconds", result.pattern_seconds);
  json.Field("wrong_words", result.wrong_words).EndObject();
  json.Field("refusals", result.refusals).Field("last_refusal", result.refusal);
  json.Field("broker_losses", result.broker_losses);
  json.Key("samples").BeginObject();
  json.Field("seconds", result.sample_seconds).Field("mapped", result.sample_mapped);
  json.Field("in_blocks", result.sample_in_blocks).Field("cached", result.sample_cached);
  json.Field("running", result.sample_running);
  json.Field("queued", result.sample_queued).EndObject().EndObject();
}

void WriteSamples(JsonWriter& json, const Report& report) {
  std::vector<double> seconds, capacity, free, sum;
  for (const BrokerSample& sample : report.samples) {
    seconds.push_back(sample.seconds);
    capacity.push_back(static_cast<double>(sample.capacity.in_bytes()));
    free.push_back(static_cast<double>(sample.device_free.in_bytes()));
    sum.push_back(static_cast<double>(sample.sum().in_bytes()));
  }
  json.BeginObject().Field("seconds", seconds).Field("capacity", capacity).Field("device_free", free);
  json.Field("sum_held", sum).Key("held").BeginObject();
  for (size_t i = 0; i < report.tenants.size(); ++i) {
    std::vector<double> held;
    for (const BrokerSample& sample : report.samples) held.push_back(static_cast<double>(sample.held[i].in_bytes()));
    json.Field(report.tenants[i].name, held);
  }
  json.EndObject().EndObject();
}

}  // namespace

Bytes BrokerSample::sum() const {
  Bytes sum = held_by_others;
  for (const Bytes bytes : held) sum += bytes;
  return MinusOrZero(sum, counted_twice);
}

Bytes Report::peak(size_t tenant) const {
  Bytes peak;
  for (const BrokerSample& sample : samples) peak = std::max(peak, sample.held[tenant]);
  return peak;
}

Bytes Report::sum_of_peaks() const {
  Bytes sum;
  for (size_t i = 0; i < tenants.size(); ++i) sum += peak(i);
  return sum;
}

Bytes Report::largest_sum() const {
  Bytes largest;
  for (const BrokerSample& sample : samples) largest = std::max(largest, sample.sum());
  return largest;
}

Bytes Report::capacity() const {
  Bytes largest;
  for (const BrokerSample& sample : samples) largest = std::max(largest, sample.capacity);
  return largest;
}

size_t Report::samples_over_capacity() const {
  return static_cast<size_t>(std::count_if(samples.begin(), samples.end(),
                                           [](const BrokerSample& sample) { return sample.sum() > sample.capacity; }));
}

Summary Report::waits() const { return Summarize(Total(tenants).waits_ms); }

double Report::fairness() const {
  std::vector<double> shares;
  for (const TenantReport& tenant : tenants) {
    if (tenant.result.busy_needed > 0) shares.push_back(ShareHad(tenant.result));
  }
  return JainIndex(shares);
}

double Report::seconds() const {
  double seconds = 0;
  for (const TenantReport& tenant : tenants) seconds = std::max(seconds, tenant.result.seconds);
  return seconds;
}

std::vector<std::string> Report::Problems() const {
  std::vector<std::string> problems;
  for (const TenantReport& tenant : tenants) {
    const Result& result = tenant.result;
    if (result.wrong_words > 0) {
      problems.push_back(absl::StrCat(tenant.name, ": ", result.wrong_words, " words were not as they were written"));
    }
    if (result.filled != result.verified) {
      problems.push_back(absl::StrCat(tenant.name, ": ", ToString(Bytes(result.filled)), " were written and ",
                                      ToString(Bytes(result.verified)), " verified"));
    }
    if (result.unfinished > 0) {
      problems.push_back(absl::StrCat(tenant.name, ": ", result.unfinished, " requests were left unfinished"));
    }
  }
  if (samples_over_capacity() > 0) {
    problems.push_back(absl::StrCat("more was held than the capacity in ", samples_over_capacity(), " of ",
                                    samples.size(), " samples"));
  }
  if (samples.empty()) problems.push_back("the broker gave no samples");
  return problems;
}

std::string ToTable(const Report& report) {
  std::vector<std::vector<std::string>> rows = {{"tenant", "peak", "limit", "requests", "preempted", "waited", "p50 ms",
                                                 "p99 ms", "max ms", "mapped", "unmapped", "grow GB/s", "check GB/s",
                                                 "refused", "verified", "wrong"}};
  for (size_t i = 0; i < report.tenants.size(); ++i) {
    const TenantReport& tenant = report.tenants[i];
    rows.push_back(
        Row(tenant.name, Short(report.peak(i)), tenant.limit ? Short(*tenant.limit) : "none", tenant.result));
  }
  rows.push_back(Row("sum", Short(report.sum_of_peaks()), "", Total(report.tenants)));

  const Bytes capacity = report.capacity();
  std::string out = absl::StrCat(report.title, "\n\n", Aligned(rows), "\n");
  if (const Result total = Total(report.tenants); HasGiveBack(total)) {
    absl::StrAppend(&out, GiveBackTable(report.tenants, total), "\n");
  }
  absl::StrAppendFormat(&out, "capacity %s; held at most %s (%.0f %%), in %d samples over %.1f s, %s\n",
                        Short(capacity), Short(report.largest_sum()), 100 * ShareOf(report.largest_sum(), capacity),
                        report.samples.size(), report.seconds(),
                        report.samples_over_capacity() == 0
                            ? "never more than the capacity"
                            : absl::StrCat("MORE THAN THE CAPACITY IN ", report.samples_over_capacity()));
  absl::StrAppendFormat(&out, "sum of the tenants' own peaks %s (%.0f %% of the capacity)\n",
                        Short(report.sum_of_peaks()), 100 * ShareOf(report.sum_of_peaks(), capacity));
  absl::StrAppendFormat(&out, "of what they needed while busy the tenants had %.1f %%; Jain's index of it %.3f\n",
                        100 * ShareHad(Total(report.tenants)), report.fairness());
  for (const TenantReport& tenant : report.tenants) {
    const Result& result = tenant.result;
    if (result.too_large > 0) {
      absl::StrAppend(&out, tenant.name, ": ", result.too_large, " requests were larger than it may ever hold\n");
    }
    if (!result.refusal.empty()) absl::StrAppend(&out, tenant.name, ": last refused: ", result.refusal, "\n");
    if (result.broker_losses > 0) {
      absl::StrAppend(&out, tenant.name, ": lost the broker ", result.broker_losses, " times\n");
    }
  }
  const std::vector<std::string> problems = report.Problems();
  absl::StrAppend(&out, "result: ", problems.empty() ? "ok" : "FAILED", "\n");
  for (const std::string& problem : problems) absl::StrAppend(&out, "  ", problem, "\n");
  return out;
}

std::string ToJson(const Report& report) {
  JsonWriter json(JsonWriter::Style::kIndented);
  json.BeginObject().Field("title", report.title);
  json.Key("device").BeginObject();
  json.Field("uuid", report.device_uuid)
      .Field("name", report.device_name)
      .Field("kind", report.device_kind)
      .EndObject();
  json.Field("reserve", report.reserve).Field("slot", report.slot).Field("block", report.block);
  json.Key("summary").BeginObject();
  json.Field("seconds", report.seconds()).Field("capacity", report.capacity());
  json.Field("largest_sum_held", report.largest_sum()).Field("sum_of_peaks", report.sum_of_peaks());
  json.Field("samples", report.samples.size()).Field("samples_over_capacity", report.samples_over_capacity());
  const Result total = Total(report.tenants);
  json.Field("wrong_words", total.wrong_words).Field("verified", total.verified).Field("refusals", total.refusals);
  json.Field("broker_refusals",
             report.samples.empty() ? 0 : report.samples.back().refusals - report.samples[0].refusals);
  json.Field("preemptions", total.preemptions).Field("takes", total.takes).Key("waited_ms");
  WriteSummary(json, report.waits());
  WriteGiveBack(json, total);
  json.Field("fairness", report.fairness());
  json.Key("problems").BeginArray();
  for (const std::string& problem : report.Problems()) json.Value(problem);
  json.EndArray().EndObject();
  json.Key("tenants").BeginArray();
  for (size_t i = 0; i < report.tenants.size(); ++i) WriteTenant(json, report, i);
  json.EndArray().Key("broker_samples");
  WriteSamples(json, report);
  json.EndObject();
  return json.text() + "\n";
}

}  // namespace kvbroker::replay
