#ifndef KVBROKER_BROKER_JOURNAL_FORMAT_H_
#define KVBROKER_BROKER_JOURNAL_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "broker/core/accounts.h"

namespace kvbroker {

// Whose accounts a journal has. What was out on another boot or on another device is not out here.
struct JournalOwner {
  std::string boot_id;
  std::string device_uuid;
};

// A journal is a header and records, each of them
//
//   4 bytes   the length of what follows the next four, little-endian
//   4 bytes   its CRC-32 (zlib's), little-endian
//   a kvbroker.journal.v1.Record, serialized
//
// so that a record that was half written when its writer was killed is known for what it is.
std::string EncodeRecord(const Record& record);

// The whole of a journal: the header and the shortest records for `accounts`.
std::string EncodeJournal(const JournalOwner& owner, uint64_t epoch, const Accounts& accounts);

struct ParsedJournal {
  Accounts accounts;
  uint64_t epoch = 0;   // of the broker that wrote it; 0: unknown
  size_t used = 0;      // bytes that were understood
  std::string trouble;  // for the operator: why the rest was not; empty: all was
};

// The accounts of the longest run of good records from the start. Whatever the bytes are, it ends in time linear in
// their number and keeps no more than a few times as much.
ParsedJournal ParseJournal(absl::string_view bytes, const JournalOwner& owner);

// Length and checksum before it, whatever it is.
std::string FrameForTesting(absl::string_view body);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_JOURNAL_FORMAT_H_
