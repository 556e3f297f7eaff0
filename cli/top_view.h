#ifndef KVBROKER_CLI_TOP_VIEW_H_
#define KVBROKER_CLI_TOP_VIEW_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cli/console.h"
#include "cli/format.h"
#include "cli/top_history.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// What `kvctl top` shows of a sample on a terminal: a bar for each tenant, scaled to the capacity and parted by what giving back
// would cost; what it changes by, and has changed by, as `history` has it; and their total. No line is wider than the window,
// and there are no more lines than it has; what does not fit is said to be there. `trouble`: why there is no newer sample.
std::vector<std::string> RenderTop(const admin::v1::Snapshot& snapshot, const TopHistory& history, WindowSize window,
                                   Colour colour, absl::string_view trouble = "");

// The same where it is read line by line, with a line feed:
// "12.5 s  granted 12.5 GiB of 20.0 GiB  waiting 2.0 GiB  batch 4.5 GiB  chat 8.0 GiB +2.0 GiB".
std::string RenderSample(const admin::v1::Snapshot& snapshot);

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_TOP_VIEW_H_
