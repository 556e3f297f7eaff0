#ifndef KVBROKER_BROKER_JOURNAL_JOURNAL_H_
#define KVBROKER_BROKER_JOURNAL_JOURNAL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/core/accounts.h"
#include "broker/journal/format.h"
#include "common/base/unique_fd.h"

namespace kvbroker {

// The file in which a broker keeps its accounts for the one that comes after it. It is in a tmpfs by design, and nothing
// is flushed: it outlives a process, and a boot that it does not outlive ends all that is out.
//
// Thread-compatible.
class Journal {
 public:
  // Reads what an earlier broker left at `path`, and puts a journal of this epoch in its place, whole at once: who is
  // killed on the way leaves the old one. What cannot be read is no error: trouble() tells, and less is known then.
  // UNAVAILABLE: the file cannot be written; names it.
  static absl::StatusOr<Journal> Open(std::string path, JournalOwner owner, uint64_t epoch);

  // As read, and as appended since.
  const Accounts& accounts() const { return accounts_; }
  // For the operator, about what was there before: "journal /run/…: a record's checksum is wrong at byte 812 of 900";
  // empty: it was whole, or there was none.
  const std::string& trouble() const { return trouble_; }

  // Keeps the records. UNAVAILABLE: they are not in the file, but will be as soon as it can be written: it is written
  // anew then.
  absl::Status Append(const std::vector<Record>& records);

 private:
  // The file is written anew where it has grown to this, and to twice as much as it was when it was new.
  static constexpr size_t kLongest = 1 << 20;

  Journal(std::string path, JournalOwner owner, uint64_t epoch);

  absl::Status Rewrite();

  std::string path_;
  JournalOwner owner_;
  uint64_t epoch_;
  Accounts accounts_;
  std::string trouble_;
  UniqueFd file_;  // empty: what is on the disk may end in half a record
  size_t size_ = 0;
  size_t size_when_new_ = 0;
};

// /proc/sys/kernel/random/boot_id.
absl::StatusOr<std::string> BootId();

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_JOURNAL_JOURNAL_H_
