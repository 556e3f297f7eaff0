#include "cli/json.h"

#include <google/protobuf/util/json_util.h>

#include "common/base/check.h"

namespace kvbroker::cli {

std::string ToJson(const google::protobuf::Message& message, JsonShape shape) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = shape == JsonShape::kIndented;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  // Fails for well-known types alone (Any, Timestamp), which the service has none of.
  KVB_CHECK(google::protobuf::util::MessageToJsonString(message, &text, options).ok(), "a message that is no JSON");
  if (text.empty() || text.back() != '\n') text += '\n';
  return text;
}

}  // namespace kvbroker::cli
