#include "tests/replay/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/status.h"
#include "tests/replay/model_shape.h"

namespace kvbroker::replay {
namespace {

constexpr int kExitUsage = 2;

constexpr char kExamples[] = R"(Examples:
  Three tenants on a broker for host memory (kvbrokerd --device host --host-memory 1GiB --runtime-dir /tmp/kvb), half a minute:
    replay --runtime-dir /tmp/kvb --reserve 1GiB --slot 2MiB --low 4 --high 16 --kv-bytes-per-token 32KiB \
           --ramp 4s --step-time 15ms --svg replay.svg

  Three Llama-3.1-8B on a GPU (kvbrokerd --capacity 50GiB --tenant a=40GiB --tenant b=40GiB --tenant c=40GiB):
    replay --reserve 60GiB --peak-rate 20 --ramp 30s --step-time 100ms --json replay.json --svg replay.svg

  Public traces, ten times as fast; the second file's GPT-4 rows go to b:
    replay --tenants a,b --trace a=AzureLLMInferenceTrace_conv.csv --trace b=BurstGPT_1.csv#GPT-4 --time-scale 10 \
           --duration 120s

  Two tenants that keep their cache and burst in turns, on a device that holds one of them; b answers the broker late:
    replay --tenants a,b --bursts 20s --duration 60s --cache keep --answer-after b=300ms

  What a load would take of memory without end, without a broker:
    replay --peak-rate 20 --step-time 100ms --dry-run

Exit codes: 0 all was well; 1 a block was not as it was written, more was held than there is, requests were left
unfinished, or a process failed; 2 usage.)";

// Sizes and times, as they were written.
struct Texts {
  std::string tenants = "a,b,c";
  std::string bytes_per_token;
  std::string slot = "32MiB";
  std::string reserve = "60GiB";
  std::string pattern = "ramp";
  std::string ramp = "30s";
  std::string duration;
  std::string bursts;
  std::string burst_on;
  std::string burst_off = "15s";
  std::string step_time = "25ms";
  std::string drain = "120s";
  std::string preempt_after = "250ms";
  std::string sample_interval = "100ms";
  std::vector<std::string> cache;
  std::vector<std::string> cache_max;
  std::vector<std::string> answer_after;
  std::string ignore_targets;
  std::vector<std::string> floor;
  std::vector<std::string> traces;
  int run_as = -1;
};

void AddFlags(CLI::App& app, Options& options, Texts& texts) {
  const auto group = [&app](const char* name) { return app.add_option_group(name); };

  auto* broker = group("Broker");
  broker->add_option("--socket", options.socket, "Its engine socket")->type_name("PATH");
  broker->add_option("--runtime-dir", options.runtime_dir, "Default $KVBROKER_RUNTIME_DIR or /run/kvbroker")
      ->type_name("DIR");
  broker->add_option("--device", options.device, "The UUID of its device; default the only broker there")
      ->type_name("UUID");
  broker->add_option("--admin-socket", options.admin_socket, "Default admin/admin.sock beside the engine socket")
      ->type_name("PATH");
  broker->add_option("--sample-interval", texts.sample_interval, "How often to ask it who holds what; at least 50ms")
      ->type_name("TIME")
      ->capture_default_str();
  broker->add_flag("--broker-restarts", options.broker_restarts,
                   "It may end meanwhile, and another one take its place; else that is a failure");

  auto* memory = group("Memory");
  memory->add_option("--tenants", texts.tenants, "One process each, by these names")
      ->type_name("A,B,C")
      ->capture_default_str();
  memory->add_option("--model", options.model, "Whose KV cache it is; llama-3.2-1b, qwen3-8b and others")
      ->type_name("NAME")
      ->capture_default_str();
  memory->add_option("--kv-bytes-per-token", texts.bytes_per_token, "Instead of a model's")->type_name("SIZE");
  memory->add_option("--block-tokens", options.block_tokens, "Tokens in a block")->capture_default_str();
  memory->add_option("--slot", texts.slot, "The extent size")->type_name("SIZE")->capture_default_str();
  memory->add_option("--reserve", texts.reserve, "Addresses for each tenant")->type_name("SIZE")->capture_default_str();
  memory->add_option("--low", options.low, "Fewer ready slots: grow")->capture_default_str();
  memory->add_option("--high", options.high, "More ready slots: give back")->capture_default_str();
  memory->add_option("--ahead", options.ahead, "Slots made ahead by the broker")->capture_default_str();

  auto* load = group("Load");
  load->add_option("--pattern", texts.pattern, "ramp, poisson or burst")
      ->type_name("PATTERN")
      ->check(CLI::IsMember({"ramp", "poisson", "burst"}))
      ->capture_default_str();
  load->add_option("--peak-rate", options.load.peak_rate, "Requests a second, of each tenant")
      ->type_name("RATE")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  load->add_option("--ramp", texts.ramp, "From no requests to the peak, and as long back")
      ->type_name("TIME")
      ->capture_default_str();
  load->add_option("--overlap", options.load.overlap, "Of the tenants' ramps: 0 one after another, 1 all at once")
      ->type_name("SHARE")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  load->add_option("--bursts", texts.bursts,
                   "The burst pattern, each tenant one burst in this time, one tenant after the other")
      ->type_name("PERIOD");
  load->add_option("--burst-on", texts.burst_on,
                   "Length of a burst; default 5s, with --bursts the period divided among the tenants")
      ->type_name("TIME");
  load->add_option("--burst-off", texts.burst_off, "Between bursts")->type_name("TIME")->capture_default_str();
  load->add_option("--prompt-tokens", options.load.prompt_tokens, "Of each made-up request")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  load->add_option("--output-tokens", options.load.output_tokens, "Of each made-up request")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  load->add_option("--trace", texts.traces,
                   "A CSV trace (Azure LLM inference, BurstGPT) instead; may be repeated. Without a tenant it is dealt "
                   "out among those that have none")
      ->type_name("[TENANT=]FILE[#MODEL]");
  load->add_option("--time-scale", options.time_scale, "Traces run so many times as fast")
      ->check(CLI::Range(1e-6, 1e9))
      ->capture_default_str();
  load->add_option("--duration", texts.duration, "Only arrivals before this; default all, 60s of poisson and burst")
      ->type_name("TIME");
  load->add_option("--max-requests", options.max_requests, "Of each tenant; 0: all")->capture_default_str();
  load->add_option("--seed", options.load.seed, "Of what is random")->capture_default_str();

  auto* neighbours = group("Each tenant (all of them where none is named; may be repeated)");
  neighbours
      ->add_option("--cache", texts.cache,
                   "keep: what requests leave behind stays as prefix cache until it is needed or asked for; none "
                   "(default): it is given back at once")
      ->type_name("[TENANT=]keep|none");
  neighbours->add_option("--cache-max", texts.cache_max, "No more cache than this")->type_name("[TENANT=]SIZE");
  neighbours
      ->add_option("--answer-after", texts.answer_after, "It starts to give back so long after the broker asked it to")
      ->type_name("[TENANT=]TIME");
  neighbours
      ->add_option("--ignore-targets", texts.ignore_targets,
                   "These never give back what they are asked for, and say that all they hold is old cache")
      ->type_name("A,B");
  neighbours->add_option("--floor", texts.floor, "It tells the broker that one of its longest requests needs so much")
      ->type_name("[TENANT=]SIZE");

  auto* engine = group("Engine");
  engine->add_option("--step-time", texts.step_time, "Each running request gets a token")
      ->type_name("TIME")
      ->capture_default_str();
  engine->add_option("--max-batch", options.engine.max_batch, "Requests running at once")->capture_default_str();
  engine->add_option("--preempt-after", texts.preempt_after, "The youngest, after so long without progress")
      ->type_name("TIME")
      ->capture_default_str();
  engine->add_option("--drain", texts.drain, "Give up so long after the last arrival")
      ->type_name("TIME")
      ->capture_default_str();

  auto* output = group("Output");
  output->add_option("--json", options.json, "All numbers and samples")->type_name("FILE");
  output->add_option("--svg", options.svg, "A picture of who held what when")->type_name("FILE");
  output->add_flag("--dry-run", options.dry_run, "Only say what the load would take of memory without end");
  output->add_flag("--quiet", options.quiet, "No lines of progress");

  app.add_option("--run-as", texts.run_as)->group("");
  app.add_option("--channel", options.channel)->group("");
}

absl::Status ReadSize(absl::string_view flag, const std::string& text, Bytes& size) {
  const absl::StatusOr<Bytes> parsed = ParseBytes(text);
  if (!parsed.ok()) return absl::InvalidArgumentError(absl::StrCat(flag, ": ", parsed.status().message()));
  if (parsed->IsZero()) return absl::InvalidArgumentError(absl::StrCat(flag, ": ", text, " is nothing"));
  size = *parsed;
  return absl::OkStatus();
}

absl::Status ReadTime(absl::string_view flag, const std::string& text, absl::Duration least, absl::Duration& time) {
  absl::Duration parsed;
  if (!absl::ParseDuration(text, &parsed) || parsed < least || parsed > absl::Hours(10000)) {
    return absl::InvalidArgumentError(absl::StrCat(flag, ": '", text, "' is no time of ", absl::FormatDuration(least),
                                                   " or more, like 25ms, 1.5s or 2m"));
  }
  time = parsed;
  return absl::OkStatus();
}

absl::StatusOr<size_t> FindTenant(absl::string_view flag, const std::string& name,
                                  const std::vector<std::string>& tenants) {
  const auto it = std::find(tenants.begin(), tenants.end(), name);
  if (it != tenants.end()) return static_cast<size_t>(it - tenants.begin());
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": '", name, "' is no tenant; there are ", absl::StrJoin(tenants, ", ")));
}

// Reads each "[TENANT=]VALUE" with `read`, for that tenant or for all.
template <typename Read>
absl::Status ReadForTenants(absl::string_view flag, const std::vector<std::string>& texts, Options& options,
                            Read read) {
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    size_t first = 0;
    size_t end = options.tenants.size();
    if (equals != std::string::npos) {
      KVB_ASSIGN_OR_RETURN(first, FindTenant(flag, text.substr(0, equals), options.tenants));
      end = first + 1;
    }
    const std::string value = equals == std::string::npos ? text : text.substr(equals + 1);
    for (size_t i = first; i < end; ++i) KVB_RETURN_IF_ERROR(read(value, options.of_tenant[i]));
  }
  return absl::OkStatus();
}

absl::Status ReadCache(const std::string& text, bool& keep) {
  keep = text == "keep";
  if (keep || text == "none") return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--cache: '", text, "' is neither keep nor none"));
}

absl::Status ReadTenantOptions(const Texts& texts, Options& options) {
  options.of_tenant.assign(options.tenants.size(), {});
  KVB_RETURN_IF_ERROR(ReadForTenants(
      "--cache", texts.cache, options,
      [](const std::string& text, TenantOptions& tenant) { return ReadCache(text, tenant.keep_cache); }));
  KVB_RETURN_IF_ERROR(
      ReadForTenants("--cache-max", texts.cache_max, options, [](const std::string& text, TenantOptions& tenant) {
        return ReadSize("--cache-max", text, tenant.cache_max.emplace());
      }));
  KVB_RETURN_IF_ERROR(
      ReadForTenants("--answer-after", texts.answer_after, options, [](const std::string& text, TenantOptions& tenant) {
        return ReadTime("--answer-after", text, absl::ZeroDuration(), tenant.answer.after);
      }));
  KVB_RETURN_IF_ERROR(ReadForTenants(
      "--floor", texts.floor, options,
      [](const std::string& text, TenantOptions& tenant) { return ReadSize("--floor", text, tenant.floor); }));
  for (const absl::string_view name : absl::StrSplit(texts.ignore_targets, ',', absl::SkipEmpty())) {
    KVB_ASSIGN_OR_RETURN(const size_t i, FindTenant("--ignore-targets", std::string(name), options.tenants));
    options.of_tenant[i].answer.never = true;
  }
  return absl::OkStatus();
}

absl::StatusOr<TraceSource> ReadTraceSource(const std::string& text, const std::vector<std::string>& tenants) {
  TraceSource source;
  std::string rest = text;
  if (const size_t equals = rest.find('='); equals != std::string::npos) {
    source.tenant = rest.substr(0, equals);
    rest = rest.substr(equals + 1);
    KVB_RETURN_IF_ERROR(FindTenant(absl::StrCat("--trace ", text), source.tenant, tenants).status());
  }
  if (const size_t hash = rest.find('#'); hash != std::string::npos) {
    source.model = rest.substr(hash + 1);
    rest = rest.substr(0, hash);
  }
  source.path = rest;
  if (source.path.empty()) return absl::InvalidArgumentError(absl::StrCat("--trace ", text, " names no file"));
  return source;
}

absl::Status ReadTenants(const std::string& text, std::vector<std::string>& tenants) {
  tenants = absl::StrSplit(text, ',');
  std::set<std::string> seen;
  for (const std::string& tenant : tenants) {
    if (tenant.empty()) return absl::InvalidArgumentError(absl::StrCat("--tenants ", text, ": a name is empty"));
    if (!seen.insert(tenant).second) {
      return absl::InvalidArgumentError(absl::StrCat("--tenants ", text, ": ", tenant, " is there twice"));
    }
  }
  return absl::OkStatus();
}

LoadOptions::Pattern PatternOf(const std::string& name) {
  if (name == "poisson") return LoadOptions::Pattern::kPoisson;
  if (name == "burst") return LoadOptions::Pattern::kBurst;
  return LoadOptions::Pattern::kRamp;
}

// With `--bursts` the tenants divide the period among them, unless a burst's length is given.
absl::Status ReadBursts(const Texts& texts, size_t tenants, LoadOptions& load) {
  constexpr absl::Duration kTick = absl::Milliseconds(1);
  absl::Duration period;
  if (!texts.bursts.empty()) {
    KVB_RETURN_IF_ERROR(ReadTime("--bursts", texts.bursts, kTick * static_cast<double>(tenants), period));
    load.pattern = LoadOptions::Pattern::kBurst;
    load.burst_on = period / static_cast<double>(tenants);
  }
  if (!texts.burst_on.empty()) KVB_RETURN_IF_ERROR(ReadTime("--burst-on", texts.burst_on, kTick, load.burst_on));
  if (texts.bursts.empty()) return ReadTime("--burst-off", texts.burst_off, absl::ZeroDuration(), load.burst_off);
  if (load.burst_on > period) {
    return absl::InvalidArgumentError(absl::StrCat("--burst-on: ", texts.burst_on, " is longer than --bursts"));
  }
  load.burst_off = period - load.burst_on;
  return absl::OkStatus();
}

absl::Status ReadTexts(const Texts& texts, Options& options) {
  constexpr absl::Duration kTick = absl::Milliseconds(1);
  KVB_RETURN_IF_ERROR(ReadTenants(texts.tenants, options.tenants));
  KVB_RETURN_IF_ERROR(ReadTenantOptions(texts, options));
  KVB_RETURN_IF_ERROR(ReadSize("--slot", texts.slot, options.slot));
  KVB_RETURN_IF_ERROR(ReadSize("--reserve", texts.reserve, options.reserve));
  if (texts.bytes_per_token.empty()) {
    KVB_ASSIGN_OR_RETURN(const ModelShape model, FindModel(options.model));
    options.bytes_per_token = model.bytes_per_token();
  } else {
    options.model.clear();
    KVB_RETURN_IF_ERROR(ReadSize("--kv-bytes-per-token", texts.bytes_per_token, options.bytes_per_token));
  }
  if (options.bytes_per_token > GiB(1) || options.block_tokens == 0 || options.block_tokens > 1 << 20) {
    return absl::InvalidArgumentError("--kv-bytes-per-token or --block-tokens is beyond any model's");
  }
  KVB_RETURN_IF_ERROR(options.layout().status());
  if (options.arena_slots() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--reserve: ", texts.reserve, " holds no slot of ", ToString(options.slot)));
  }
  if (options.engine.max_batch == 0) return absl::InvalidArgumentError("--max-batch: 0 runs nothing");

  options.load.pattern = PatternOf(texts.pattern);
  KVB_RETURN_IF_ERROR(ReadTime("--ramp", texts.ramp, kTick, options.load.ramp));
  KVB_RETURN_IF_ERROR(ReadBursts(texts, options.tenants.size(), options.load));
  if (!texts.duration.empty()) {
    KVB_RETURN_IF_ERROR(ReadTime("--duration", texts.duration, kTick, options.load.duration));
    options.duration = options.load.duration;
  }
  KVB_RETURN_IF_ERROR(ReadTime("--step-time", texts.step_time, kTick, options.step_time));
  KVB_RETURN_IF_ERROR(ReadTime("--preempt-after", texts.preempt_after, kTick, options.engine.preempt_after));
  KVB_RETURN_IF_ERROR(ReadTime("--drain", texts.drain, absl::ZeroDuration(), options.drain));
  KVB_RETURN_IF_ERROR(
      ReadTime("--sample-interval", texts.sample_interval, absl::Milliseconds(50), options.sample_interval));
  for (const std::string& trace : texts.traces) {
    KVB_ASSIGN_OR_RETURN(TraceSource source, ReadTraceSource(trace, options.tenants));
    options.traces.push_back(std::move(source));
  }
  options.engine.seed = options.load.seed;
  if (texts.run_as >= 0) options.run_as = static_cast<size_t>(texts.run_as);
  if (options.run_as && (*options.run_as >= options.tenants.size() || options.channel < 0)) {
    return absl::InvalidArgumentError("--run-as is the coordinator's alone to give");
  }
  return absl::OkStatus();
}

}  // namespace

CommandLine ParseCommandLine(int argc, const char* const* argv) {
  CLI::App app(
      "Replays requests to several engines that share a device's memory through kvbrokerd: every engine is a process "
      "of\n"
      "its own that takes KV blocks as its requests need them, fills and verifies each, and gives them back.",
      "replay");
  Options options;
  Texts texts;
  AddFlags(app, options, texts);
  app.footer(kExamples);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return {.exit_code = code == 0 ? 0 : kExitUsage};
  }
  if (const absl::Status status = ReadTexts(texts, options); !status.ok()) {
    std::cerr << "replay: " << status.message() << "\n";
    return {.exit_code = kExitUsage};
  }
  return {.options = std::move(options)};
}

}  // namespace kvbroker::replay
