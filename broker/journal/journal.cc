#include "broker/journal/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/status.h"

namespace kvbroker {
namespace {

// A journal is no longer than a few MiB; what is longer is none of ours.
constexpr size_t kLongestRead = 256 << 20;

absl::Status Unavailable(absl::string_view what, const std::string& path) {
  return absl::UnavailableError(ErrnoToStatus(errno, absl::StrCat(what, " ", path)).message());
}

// NOT_FOUND: there is no file.
absl::StatusOr<std::string> ReadAll(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return ErrnoToStatus(errno, absl::StrCat("reading ", path));
  std::string bytes;
  char buffer[1 << 14];
  while (bytes.size() < kLongestRead) {
    const ssize_t n = read(file.get(), buffer, sizeof(buffer));
    if (n == 0) return bytes;
    if (n > 0) bytes.append(buffer, static_cast<size_t>(n));
    if (n < 0 && errno != EINTR) return ErrnoToStatus(errno, absl::StrCat("reading ", path));
  }
  return bytes;
}

absl::Status WriteAll(int file, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = write(file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Unavailable("writing", path);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

}  // namespace

Journal::Journal(std::string path, JournalOwner owner, uint64_t epoch)
    : path_(std::move(path)), owner_(std::move(owner)), epoch_(epoch) {}

absl::StatusOr<Journal> Journal::Open(std::string path, JournalOwner owner, uint64_t epoch) {
  Journal journal(std::move(path), std::move(owner), epoch);
  const absl::StatusOr<std::string> bytes = ReadAll(journal.path_);
  if (bytes.ok()) {
    ParsedJournal parsed = ParseJournal(*bytes, journal.owner_);
    journal.accounts_ = std::move(parsed.accounts);
    if (!parsed.trouble.empty()) {
      journal.trouble_ = absl::StrCat("journal ", journal.path_, ": ", parsed.trouble, ", at byte ", parsed.used,
                                      " of ", bytes->size());
    }
  } else if (!absl::IsNotFound(bytes.status())) {
    journal.trouble_ = absl::StrCat("journal: ", bytes.status().message());
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
  if (!file.valid()) return Unavailable("writing", fresh);
  KVB_RETURN_IF_ERROR(WriteAll(file.get(), bytes, fresh));
  if (rename(fresh.c_str(), path_.c_str()) != 0) return Unavailable("writing", path_);
  file_ = std::move(file);
  size_ = size_when_new_ = bytes.size();
  return absl::OkStatus();
}

absl::StatusOr<std::string> BootId() {
  KVB_ASSIGN_OR_RETURN(const std::string text, ReadAll("/proc/sys/kernel/random/boot_id"));
  return std::string(absl::StripAsciiWhitespace(text));
}

}  // namespace kvbroker
