#ifndef KVBROKER_CLI_EVENTS_H_
#define KVBROKER_CLI_EVENTS_H_

#include <string>

#include "absl/time/time.h"
#include "cli/command.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// A line: the time in `zone`, whether it is a warning, and what happened.
std::string RenderEvent(const admin::v1::BrokerEvent& event, absl::TimeZone zone);

// kvctl events
class EventsCommand : public Command {
 public:
  Text text() const override;
  void Declare(CLI::App& app) override;
  absl::Status Run(const Context& context) override;

 private:
  bool follow_ = false;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_EVENTS_H_
