#include "tests/replay/messages.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/log.h"
#include "tests/replay/json.h"

namespace kvbroker::replay {
namespace {

// The fields of each message, named once for writing and reading.

template <typename Visitor, typename M>
void VisitReady(Visitor& visit, M& m) {
  visit("device_uuid", m.device_uuid);
  visit("device_kind", m.device_kind);
  visit("capacity", m.capacity);
  visit("limit", m.limit);
}

template <typename Visitor, typename M>
void VisitResult(Visitor& visit, M& m) {
  visit("seconds", m.seconds);
  visit("arrived", m.arrived);
  visit("done", m.done);
  visit("unfinished", m.unfinished);
  visit("too_large", m.too_large);
  visit("preemptions", m.preemptions);
  visit("preempted_for_target", m.preempted_for_target);
  visit("refault", m.refault);
  visit("tokens", m.tokens);
  visit("steps", m.steps);
  visit("takes", m.takes);
  visit("waits_ms", m.waits_ms);
  visit("filled", m.filled);
  visit("verified", m.verified);
  visit("pattern_seconds", m.pattern_seconds);
  visit("wrong_words", m.wrong_words);
  visit("evicted_blocks", m.evicted_blocks);
  visit("targets", m.targets);
  visit("targets_answered", m.targets_answered);
  visit("targets_late", m.targets_late);
  visit("reclaimed", m.reclaimed);
  visit("answers_ms", m.answers_ms);
  visit("busy_held", m.busy_held);
  visit("busy_needed", m.busy_needed);
  visit("mapped", m.mapped);
  visit("unmapped", m.unmapped);
  visit("growing_seconds", m.growing_seconds);
  visit("mean_growth", m.mean_growth);
  visit("best_growth", m.best_growth);
  visit("peak_mapped", m.peak_mapped);
  visit("peak_in_blocks", m.peak_in_blocks);
  visit("peak_cached", m.peak_cached);
  visit("refusals", m.refusals);
  visit("refusal", m.refusal);
  visit("broker_losses", m.broker_losses);
  visit("sample_seconds", m.sample_seconds);
  visit("sample_mapped", m.sample_mapped);
  visit("sample_in_blocks", m.sample_in_blocks);
  visit("sample_cached", m.sample_cached);
  visit("sample_running", m.sample_running);
  visit("sample_queued", m.sample_queued);
}

template <typename Visitor, typename M>
void VisitFailure(Visitor& visit, M& m) {
  visit("text", m.text);
}

struct Writer {
  JsonWriter& json;
  template <typename T>
  void operator()(const char* name, const T& value) {
    json.Field(name, value);
  }
  void operator()(const char* name, const std::optional<Bytes>& value) {
    if (value) json.Field(name, *value);
  }
};

// Reads what is there; what is missing keeps its value.
struct Reader {
  const google::protobuf::Struct& fields;

  void operator()(const char* name, std::string& value) {
    if (const auto* field = Find(name)) value = field->string_value();
  }
  void operator()(const char* name, double& value) {
    if (const auto* field = Find(name)) value = field->number_value();
  }
  void operator()(const char* name, uint64_t& value) {
    if (const auto* field = Find(name)) value = static_cast<uint64_t>(field->number_value());
  }
  void operator()(const char* name, Bytes& value) {
    if (const auto* field = Find(name)) value = Bytes(static_cast<uint64_t>(field->number_value()));
  }
  void operator()(const char* name, std::optional<Bytes>& value) {
    if (const auto* field = Find(name)) value = Bytes(static_cast<uint64_t>(field->number_value()));
  }
  void operator()(const char* name, std::vector<double>& value) {
    if (const auto* field = Find(name)) {
      for (const auto& item : field->list_value().values()) value.push_back(item.number_value());
    }
  }

  const google::protobuf::Value* Find(const char* name) const {
    const auto it = fields.fields().find(name);
    return it == fields.fields().end() ? nullptr : &it->second;
  }
};

}  // namespace

std::string ToLine(const Message& message) {
  JsonWriter json(JsonWriter::Style::kOneLine);
  Writer write{json};
  json.BeginObject();
  if (const auto* ready = std::get_if<Ready>(&message)) {
    json.Field("kind", "ready");
    VisitReady(write, *ready);
  } else if (const auto* result = std::get_if<Result>(&message)) {
    json.Field("kind", "result");
    VisitResult(write, *result);
  } else {
    json.Field("kind", "failure");
    VisitFailure(write, std::get<Failure>(message));
  }
  json.EndObject();
  return json.text() + "\n";
}

absl::StatusOr<Message> ParseLine(absl::string_view line) {
  google::protobuf::Struct fields;
  const auto status =
      google::protobuf::util::JsonStringToMessage(google::protobuf::StringPiece(line.data(), line.size()), &fields);
  if (!status.ok()) return absl::DataLossError(absl::StrCat("no message of a tenant's process: ", Quoted(line)));
  Reader read{fields};
  std::string kind;
  read("kind", kind);
  if (kind == "ready") {
    Ready ready;
    VisitReady(read, ready);
    return ready;
  }
  if (kind == "result") {
    Result result;
    VisitResult(read, result);
    return result;
  }
  if (kind == "failure") {
    Failure failure;
    VisitFailure(read, failure);
    return failure;
  }
  return absl::DataLossError(absl::StrCat("a tenant's process sent a message of kind ", Quoted(kind)));
}

}  // namespace kvbroker::replay
