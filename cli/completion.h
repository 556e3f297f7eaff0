#ifndef KVBROKER_CLI_COMPLETION_H_
#define KVBROKER_CLI_COMPLETION_H_

#include <string>

#include "absl/strings/string_view.h"
#include "cli/command.h"

namespace kvbroker::cli {

// The shell code that completes kvctl's commands, options and tenants, made from what `app`, kvctl itself, declares.
// REQUIRES: shell is "bash", "zsh" or "fish".
std::string RenderCompletion(const CLI::App& app, absl::string_view shell);

// kvctl completion bash|zsh|fish
class CompletionCommand : public Command {
 public:
  Text text() const override;
  void Declare(CLI::App& app) override;
  absl::Status Check() override;
  absl::Status Run(const Context& context) override;

 private:
  const CLI::App* app_ = nullptr;  // kvctl's; not owned
  std::string shell_;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_COMPLETION_H_
