#include "tests/replay/trace.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "common/base/log.h"
#include "common/base/status.h"

namespace kvbroker::replay {
namespace {

// No model has a context of so many tokens.
constexpr uint64_t kMostTokens = 100'000'000;

// Where a kind of trace has what.
struct Columns {
  bool calendar = false;  // timestamps are dates, else seconds
  size_t time = 0;
  size_t prompt = 0;
  size_t output = 0;
  std::optional<size_t> model;
};

// One line of a file, for errors.
struct Place {
  absl::string_view file;
  size_t line = 0;

  absl::Status Error(const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrCat(file, ":", line, ": ", what));
  }
};

std::vector<absl::string_view> Fields(absl::string_view line) {
  std::vector<absl::string_view> fields = absl::StrSplit(line, ',');
  for (absl::string_view& field : fields) field = absl::StripAsciiWhitespace(field);
  return fields;
}

absl::StatusOr<Columns> ReadHeader(const Place& place, absl::string_view line) {
  const std::vector<absl::string_view> names = Fields(line);
  const auto find = [&](absl::string_view name) -> std::optional<size_t> {
    const auto it = std::find(names.begin(), names.end(), name);
    if (it == names.end()) return std::nullopt;
    return static_cast<size_t>(it - names.begin());
  };
  for (const auto& [calendar, time, prompt, output] :
       {std::tuple(true, "TIMESTAMP", "ContextTokens", "GeneratedTokens"),
        std::tuple(false, "Timestamp", "Request tokens", "Response tokens")}) {
    if (find(time) && find(prompt) && find(output)) {
      return Columns{calendar, *find(time), *find(prompt), *find(output), find("Model")};
    }
  }
  return place.Error(absl::StrCat("the header ", Quoted(line),
                                  " has neither the columns TIMESTAMP, ContextTokens, GeneratedTokens (Azure LLM "
                                  "inference) nor Timestamp, Request tokens, Response tokens (BurstGPT)"));
}

absl::StatusOr<uint64_t> ReadTokens(const Place& place, absl::string_view column, absl::string_view text) {
  uint64_t tokens;
  if (!absl::SimpleAtoi(text, &tokens) || tokens > kMostTokens) {
    return place.Error(absl::StrCat(column, " ", Quoted(text), " is no number of tokens"));
  }
  return tokens;
}

// Since any fixed moment: only differences count.
absl::StatusOr<absl::Duration> ReadTime(const Place& place, bool calendar, absl::string_view text) {
  if (calendar) {
    absl::Time time;
    std::string error;
    for (const char* format : {"%Y-%m-%d %H:%M:%E*S", "%Y-%m-%d %H:%M:%E*S%Ez"}) {
      if (absl::ParseTime(format, text, &time, &error)) return time - absl::UnixEpoch();
    }
    return place.Error(absl::StrCat("TIMESTAMP ", Quoted(text), " is no time like 2023-11-16 18:15:46.6805900"));
  }
  double seconds;
  if (!absl::SimpleAtod(text, &seconds) || !std::isfinite(seconds)) {
    return place.Error(absl::StrCat("Timestamp ", Quoted(text), " is no number of seconds"));
  }
  return absl::Seconds(seconds);
}

}  // namespace

absl::StatusOr<Trace> ParseTrace(std::istream& in, absl::string_view name, absl::string_view model) {
  Place place{.file = name, .line = 1};
  std::string line;
  if (!std::getline(in, line)) return place.Error("the file is empty; expected a header");
  KVB_ASSIGN_OR_RETURN(const Columns columns, ReadHeader(place, absl::StripAsciiWhitespace(line)));
  if (!model.empty() && !columns.model) {
    return place.Error(absl::StrCat("there is no column Model to look for ", Quoted(model), " in"));
  }
  const size_t least_fields = std::max({columns.time, columns.prompt, columns.output, columns.model.value_or(0)}) + 1;

  Trace trace;
  std::optional<absl::Duration> first;
  while (std::getline(in, line)) {
    ++place.line;
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    const std::vector<absl::string_view> fields = Fields(line);
    if (fields.size() < least_fields) {
      return place.Error(absl::StrCat(Quoted(line), " has ", fields.size(), " fields, not ", least_fields));
    }
    KVB_ASSIGN_OR_RETURN(const absl::Duration time, ReadTime(place, columns.calendar, fields[columns.time]));
    KVB_ASSIGN_OR_RETURN(const uint64_t prompt, ReadTokens(place, "prompt tokens", fields[columns.prompt]));
    KVB_ASSIGN_OR_RETURN(const uint64_t output, ReadTokens(place, "output tokens", fields[columns.output]));
    if (!first) first = time;
    if (!model.empty() && fields[*columns.model] != model) continue;
    if (output == 0) {
      ++trace.left_out;
      continue;
    }
    trace.requests.push_back({std::max(absl::ZeroDuration(), time - *first), std::max<uint64_t>(prompt, 1), output});
  }
  if (trace.requests.empty()) {
    return absl::NotFoundError(absl::StrCat(name, ": no request with output tokens",
                                            model.empty() ? "" : absl::StrCat(" of the model ", Quoted(model))));
  }
  std::stable_sort(trace.requests.begin(), trace.requests.end(),
                   [](const Request& a, const Request& b) { return a.arrival < b.arrival; });
  return trace;
}

absl::StatusOr<Trace> ReadTrace(const std::string& path, absl::string_view model) {
  std::ifstream in(path);
  if (!in) return ErrnoToStatus(errno, absl::StrCat("opening the trace ", path));
  return ParseTrace(in, path, model);
}

}  // namespace kvbroker::replay
