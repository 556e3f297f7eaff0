#ifndef KVBROKER_CLI_AMOUNT_H_
#define KVBROKER_CLI_AMOUNT_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// What every help text says of sizes, indented by two where it is a line of its own.
inline constexpr char kSizesHelp[] =
    "K, M, G, T and KiB .. TiB count in 1024, KB .. TB in 1000; a number alone is in bytes.\n";

// Reads "40GiB", "50%", "none" or "initial". INVALID_ARGUMENT names the text and says what is accepted.
absl::StatusOr<admin::v1::Amount> ParseAmount(absl::string_view text);

// Reads "500ms", "2s", "5m" or "0.5" (seconds). INVALID_ARGUMENT names the text, and the bounds.
absl::StatusOr<absl::Duration> ParseTime(absl::string_view text, absl::Duration shortest, absl::Duration longest);

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_AMOUNT_H_
