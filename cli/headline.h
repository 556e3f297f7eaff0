#ifndef KVBROKER_CLI_HEADLINE_H_
#define KVBROKER_CLI_HEADLINE_H_

#include <string>

#include "proto/admin.pb.h"

namespace kvbroker::cli {

// What stands above every table, without a line feed: "HOST-demo (host memory, 20 GiB): capacity 20.0 GiB".
std::string Headline(const admin::v1::Status& status);

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_HEADLINE_H_
