#include "common/device/host/left_extents.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace kvbroker {
namespace {

namespace fs = std::filesystem;

}  // namespace

LeftExtents::LeftExtents(absl::string_view prefix, absl::string_view own)
    : prefix_(absl::StrCat("/memfd:", prefix)), own_(absl::StrCat("/memfd:", own, " (deleted)")) {
  std::error_code error;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    pid_t pid;
    if (absl::SimpleAtoi(it->path().filename().native(), &pid) && pid != getpid()) processes_.push_back(pid);
  }
}

bool LeftExtents::IsOne(absl::string_view link) const { return absl::StartsWith(link, prefix_) && link != own_; }

// "7f01a000-7f21a000 rw-s 00000000 00:01 2051    /memfd:NAME (deleted)": an extent is mapped whole, and once.
void LeftExtents::AddMapped(pid_t pid, BytesByInode& extents) const {
  std::ifstream maps(absl::StrCat("/proc/", pid, "/maps"));
  for (std::string line; std::getline(maps, line);) {
    const size_t link = line.find('/');
    if (link == std::string::npos || !IsOne(absl::string_view(line).substr(link))) continue;
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
    const std::pair<absl::string_view, absl::string_view> range = absl::StrSplit(fields[0], absl::MaxSplits('-', 1));
    uint64_t first;
    uint64_t end;
    uint64_t inode;
    if (fields.size() > 5 && absl::SimpleHexAtoi(range.first, &first) && absl::SimpleHexAtoi(range.second, &end) &&
        absl::SimpleAtoi(fields[4], &inode)) {
      extents[inode] = Bytes(end - first);
    }
  }
}

void LeftExtents::AddOpen(pid_t pid, BytesByInode& extents) const {
  std::error_code gone;
  for (fs::directory_iterator it(absl::StrCat("/proc/", pid, "/fd"), gone), end; !gone && it != end;
       it.increment(gone)) {
    std::error_code closed;
    if (!IsOne(fs::read_symlink(it->path(), closed).native())) continue;
    struct stat st;
    if (stat(it->path().c_str(), &st) == 0) extents[st.st_ino] = Bytes(static_cast<uint64_t>(st.st_size));
  }
}

Bytes LeftExtents::Look() {
  BytesByInode all;
  std::erase_if(processes_, [&](pid_t pid) {
    BytesByInode own;
    AddMapped(pid, own);
    AddOpen(pid, own);
    all.insert(own.begin(), own.end());
    return own.empty();
  });
  Bytes sum;
  for (const auto& [inode, bytes] : all) sum += bytes;
  return sum;
}

}  // namespace kvbroker
