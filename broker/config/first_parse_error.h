#ifndef KVBROKER_BROKER_CONFIG_FIRST_PARSE_ERROR_H_
#define KVBROKER_BROKER_CONFIG_FIRST_PARSE_ERROR_H_

#include <google/protobuf/io/tokenizer.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace kvbroker {

// Keeps the first error that a parser of text format finds, as "2:14: what".
class FirstParseError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text_.empty()) text_ = absl::StrCat(line + 1, ":", column + 1, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CONFIG_FIRST_PARSE_ERROR_H_
