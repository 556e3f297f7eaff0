#ifndef KVBROKER_CLI_TOP_H_
#define KVBROKER_CLI_TOP_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/time/time.h"
#include "cli/command.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// kvctl top
class TopCommand : public Command {
 public:
  Text text() const override;
  void Declare(CLI::App& app) override;
  absl::Status Check() override;
  absl::Status Run(const Context& context) override;

 private:
  class Display;

  // Shows samples until `heed` says that it is to end, there are enough, or the broker ends them: then it is an error.
  absl::Status Follow(const Where& where, Display& display, const std::function<bool()>& heed,
                      admin::v1::Snapshot& newest, uint64_t& shown) const;

  std::string interval_text_ = "500ms";
  std::string count_text_;
  absl::Duration interval_;
  uint64_t count_ = 0;  // 0: no end
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_TOP_H_
