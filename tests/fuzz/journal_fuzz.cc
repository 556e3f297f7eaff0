// What an earlier broker, or somebody else, left as a journal: it is read, and a broker begins with it.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "broker/core/arbiter.h"
#include "broker/journal/format.h"
#include "broker/policy/testing/first_come.h"
#include "common/base/check.h"

namespace {

using namespace kvbroker;

const JournalOwner kOwner = {.boot_id = "b", .device_uuid = "d"};

void Begin(const Accounts& accounts) {
  const FirstComePolicy policy;
  Arbiter arbiter({.device_uuid = "d", .other_tenants = TenantPolicy{}}, policy);
  absl::Time now = absl::UnixEpoch() + absl::Hours(1);
  arbiter.Step(event::Recovered{accounts}, now);
  for (const uint64_t free : {0, 40, 80}) {
    now += absl::Seconds(1);
    arbiter.Step(event::DeviceSample{.total = GiB(80), .free = GiB(free)}, now);
    const absl::Status invariants = arbiter.CheckInvariants();
    KVB_CHECK(invariants.ok(), std::string(invariants.message()).c_str());
  }
  for (const auto& [id, session] : accounts.sessions()) arbiter.Step(event::ProcessEnded{.session = id}, now);
  arbiter.Step(event::DeviceSample{.total = GiB(80), .free = GiB(80)}, now + absl::Seconds(1));
  KVB_CHECK(arbiter.Report(now).sessions.empty(), "nobody lives, and all is free: nothing is left");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const ParsedJournal parsed = ParseJournal(bytes, kOwner);
  KVB_CHECK(parsed.used <= size, "no more is used than there is");
  KVB_CHECK(parsed.trouble.empty() == (parsed.used == size), "what is not used has a reason");
  Begin(parsed.accounts);
  // Checksums let little through: what the bytes say is put behind a good header, record by record.
  std::string framed = EncodeJournal(kOwner, 1, Accounts());
  for (size_t at = 0; at < size;) {
    const size_t length = std::min<size_t>(data[at], size - at - 1);
    framed += FrameForTesting(bytes.substr(at + 1, length));
    at += 1 + length;
  }
  const ParsedJournal good = ParseJournal(framed, kOwner);
  Begin(good.accounts);
  const ParsedJournal again = ParseJournal(EncodeJournal(kOwner, 1, good.accounts), kOwner);
  KVB_CHECK(again.accounts == good.accounts, "what is written is what is read");
  return 0;
}
