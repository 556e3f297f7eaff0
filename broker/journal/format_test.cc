#include "broker/journal/format.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const JournalOwner kOwner = {.boot_id = "boot-1", .device_uuid = "GPU-1"};

std::vector<Record> SomeRecords() {
  return {
      record::Session{.id = SessionId(3),
                      .tenant = "a",
                      .instance = "i",
                      .process = {.pid = 7, .start_time = 8, .uid = 9, .gid = 10},
                      .engine = "vllm 0.26.0",
                      .floor = GiB(3)},
      record::Lease{.id = LeaseId(5),
                    .session = SessionId(3),
                    .arena = ArenaId(6),
                    .planes = {MiB(2), MiB(64)},
                    .slots = 1 << 20,
                    .held = 12,
                    .returned = 3},
      record::Session{.id = SessionId(4), .tenant = "b"},
      record::Lease{
          .id = LeaseId(7), .session = SessionId(4), .arena = ArenaId(1), .planes = {MiB(8)}, .slots = 9, .held = 9},
      record::SessionEnded{SessionId(3)},
      record::Lease{.id = LeaseId(7),
                    .session = SessionId(4),
                    .arena = ArenaId(1),
                    .planes = {MiB(8)},
                    .slots = 9,
                    .returned = 2}};
}

// A journal with these records behind its header; `ends[i]` is where it is long enough for i of them.
std::string JournalOf(const std::vector<Record>& records, std::vector<size_t>& ends) {
  std::string bytes = EncodeJournal(kOwner, 2, Accounts());
  ends = {bytes.size()};
  for (const Record& record : records) {
    bytes += EncodeRecord(record);
    ends.push_back(bytes.size());
  }
  return bytes;
}

Accounts FirstOf(const std::vector<Record>& records, size_t count) {
  Accounts accounts;
  for (size_t i = 0; i < count; ++i) accounts.Apply(records[i]);
  return accounts;
}

TEST(JournalFormatTest, WhatIsWrittenIsRead) {
  const std::vector<Record> records = SomeRecords();
  const Accounts accounts = FirstOf(records, 4);
  const ParsedJournal parsed = ParseJournal(EncodeJournal(kOwner, 2, accounts), kOwner);
  EXPECT_THAT(parsed.trouble, IsEmpty());
  EXPECT_EQ(parsed.epoch, 2u);
  EXPECT_EQ(parsed.accounts, accounts);
}

TEST(JournalFormatTest, NumbersOfWhatIsGoneAreKept) {
  const Accounts accounts = FirstOf(SomeRecords(), 5);
  const ParsedJournal parsed = ParseJournal(EncodeJournal(kOwner, 2, accounts), kOwner);
  EXPECT_EQ(parsed.accounts.next_lease(), LeaseId(8));
}

TEST(JournalFormatTest, CutOffAnywhereItHasTheWholeRecordsBefore) {
  const std::vector<Record> records = SomeRecords();
  std::vector<size_t> ends;
  const std::string bytes = JournalOf(records, ends);
  for (size_t length = 0; length <= bytes.size(); ++length) {
    const auto whole = static_cast<size_t>(std::upper_bound(ends.begin(), ends.end(), length) - ends.begin());
    const ParsedJournal parsed = ParseJournal(bytes.substr(0, length), kOwner);
    EXPECT_EQ(parsed.accounts, FirstOf(records, whole == 0 ? 0 : whole - 1)) << length;
    const bool at_an_end = length == 0 || std::count(ends.begin(), ends.end(), length) != 0;
    EXPECT_EQ(parsed.trouble.empty(), at_an_end) << length << ": " << parsed.trouble;
  }
}

TEST(JournalFormatTest, AChangedByteEndsItThere) {
  const std::vector<Record> records = SomeRecords();
  std::vector<size_t> ends;
  const std::string bytes = JournalOf(records, ends);
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const char flip : {char{1}, static_cast<char>(0x80)}) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      const auto whole = static_cast<size_t>(std::upper_bound(ends.begin(), ends.end(), at) - ends.begin());
      const ParsedJournal parsed = ParseJournal(changed, kOwner);
      EXPECT_EQ(parsed.accounts, FirstOf(records, whole == 0 ? 0 : whole - 1)) << at;
      EXPECT_FALSE(parsed.trouble.empty()) << at;
    }
  }
}

TEST(JournalFormatTest, AnotherBootOrDeviceHasNothingOutHere) {
  const std::string bytes = EncodeJournal(kOwner, 2, FirstOf(SomeRecords(), 4));
  const ParsedJournal boot = ParseJournal(bytes, {.boot_id = "boot-2", .device_uuid = "GPU-1"});
  EXPECT_EQ(boot.accounts, Accounts());
  EXPECT_THAT(boot.trouble, HasSubstr("another boot"));
  const ParsedJournal device = ParseJournal(bytes, {.boot_id = "boot-1", .device_uuid = "GPU-2"});
  EXPECT_EQ(device.accounts, Accounts());
  EXPECT_THAT(device.trouble, HasSubstr("GPU-1"));
}

TEST(JournalFormatTest, RecordsWithoutAHeaderAreNobodys) {
  const ParsedJournal parsed = ParseJournal(EncodeRecord(SomeRecords()[0]), kOwner);
  EXPECT_EQ(parsed.accounts, Accounts());
  EXPECT_THAT(parsed.trouble, HasSubstr("no header"));
}

}  // namespace
}  // namespace kvbroker
