#ifndef KVBROKER_CLI_TRIM_H_
#define KVBROKER_CLI_TRIM_H_

#include <string>

#include "absl/strings/string_view.h"
#include "cli/command.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// "chat: 8.0 GiB -> 2.0 GiB in 38 ms".
std::string RenderTrim(absl::string_view tenant, const admin::v1::TrimResponse& response);

// kvctl trim
class TrimCommand : public Command {
 public:
  Text text() const override;
  void Declare(CLI::App& app) override;
  absl::Status Check() override;
  absl::Status Run(const Context& context) override;

 private:
  std::string tenant_;
  std::string to_;
  std::string within_ = "10s";
  admin::v1::TrimRequest request_;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_TRIM_H_
