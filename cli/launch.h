#ifndef KVBROKER_CLI_LAUNCH_H_
#define KVBROKER_CLI_LAUNCH_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "cli/command.h"
#include "cli/room_session.h"
#include "common/base/bytes.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// What takes the memory that a room waited for: "12.5 GiB are granted (2.0 GiB of it asked back), …".
std::string RenderInTheWay(const admin::v1::Memory& memory);

// kvctl launch --room SIZE [--tenant T] [--timeout TIME] [--ttl TIME] -- COMMAND…
class LaunchCommand : public Command {
 public:
  explicit LaunchCommand(RoomSessionOpener open) : open_(std::move(open)) {}

  Text text() const override;
  void Declare(CLI::App& app) override;
  bool takes_rest() const override { return true; }
  void TakeRest(std::vector<std::string> rest) override { words_ = std::move(rest); }
  absl::Status Check() override;
  absl::Status Run(const Context& context) override;
  int ExitCode(const absl::Status& done) const override;

 private:
  const RoomSessionOpener open_;
  std::string room_text_;
  std::optional<std::string> tenant_;
  std::string timeout_text_ = "60s";
  std::optional<std::string> ttl_text_;
  std::vector<std::string> words_;  // of the command

  // Made by Check.
  Bytes room_;
  absl::Duration timeout_;
  absl::Duration ttl_;  // zero: none

  std::optional<int> exit_code_;  // the command's, or what stands for that it cannot be run
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_LAUNCH_H_
