#include "broker/journal/journal.h"

#include <fcntl.h>

#include <cstdio>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status.h"

namespace kvbroker {
namespace {

// A journal is no longer than a few MiB; what is longer is none of ours.
constexpr size_t kLongestRead = 256 << 20;

}  // namespace

Journal::Journal(std::string path, JournalOwner owner, uint64_t epoch)
    : path_(std::move(path)), owner_(std::move(owner)), epoch_(epoch) {}

absl::StatusOr<Journal> Journal::Open(std::string path, JournalOwner owner, uint64_t epoch) {
  Journal journal(std::move(path), std::move(owner), epoch);
  const absl::StatusOr<std::optional<std::string>> bytes = ReadFile(journal.path_, kLongestRead);
  if (!bytes.ok()) {
    journal.trouble_ = absl::StrCat("journal: ", bytes.status().message());
  } else if (bytes->has_value()) {
    ParsedJournal parsed = ParseJournal(**bytes, journal.owner_);
    journal.accounts_ = std::move(parsed.accounts);
    if (!parsed.trouble.empty()) {
      journal.trouble_ = absl::StrCat("journal ", journal.path_, ": ", parsed.trouble, ", at byte ", parsed.used,
                                      " of ", (*bytes)->size());
    }
  }
  KVB_RETURN_IF_ERROR(journal.Rewrite());
  return journal;
}

absl::Status Journal::Append(const std::vector<Record>& records) {
  std::string bytes;
  for (const Record& record : records) {
    accounts_.Apply(record);
    bytes += EncodeRecord(record);
  }
  if (!file_.valid() || (size_ > kLongest && size_ > 2 * size_when_new_)) return Rewrite();
  const absl::Status written = WriteAll(file_.get(), bytes, path_);
  size_ += bytes.size();
  if (!written.ok()) file_.Reset();  // whatever came behind half a record could not be read
  return written;
}

absl::Status Journal::Rewrite() {
  const std::string bytes = EncodeJournal(owner_, epoch_, accounts_);
  const std::string fresh = absl::StrCat(path_, ".new");
  UniqueFd file(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  if (!file.valid()) return FileError("writing", fresh);
  KVB_RETURN_IF_ERROR(WriteAll(file.get(), bytes, fresh));
  if (rename(fresh.c_str(), path_.c_str()) != 0) return FileError("writing", path_);
  file_ = std::move(file);
  size_ = size_when_new_ = bytes.size();
  return absl::OkStatus();
}

absl::StatusOr<std::string> BootId() {
  const std::string path = "/proc/sys/kernel/random/boot_id";
  KVB_ASSIGN_OR_RETURN(const std::optional<std::string> text, ReadFile(path));
  if (!text.has_value()) return absl::NotFoundError(absl::StrCat("there is no ", path));
  return std::string(absl::StripAsciiWhitespace(*text));
}

}  // namespace kvbroker
