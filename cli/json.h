#ifndef KVBROKER_CLI_JSON_H_
#define KVBROKER_CLI_JSON_H_

#include <google/protobuf/message.h>

#include <string>

namespace kvbroker::cli {

enum class JsonShape { kIndented, kOneLine };

// The message as JSON, by protobuf's own rules, with a line feed at its end: every field is there, under its name in
// the .proto; 64-bit numbers are strings, as they do not fit into what many readers take for a number.
std::string ToJson(const google::protobuf::Message& message, JsonShape shape = JsonShape::kIndented);

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_JSON_H_
