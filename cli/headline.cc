#include "cli/headline.h"

#include "absl/strings/str_cat.h"
#include "cli/format.h"

namespace kvbroker::cli {

std::string Headline(const admin::v1::Status& status) {
  return absl::StrCat(status.device_uuid(), " (", status.device_name(), "): capacity ",
                      FormatSize(status.memory().capacity()));
}

}  // namespace kvbroker::cli
