#include "broker/journal/format.h"

#include <zlib.h>

#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/journal.pb.h"

namespace kvbroker {
namespace {

constexpr uint32_t kFormat = 1;
constexpr size_t kFrame = 8;
constexpr uint32_t kLongestRecord = 1 << 16;

uint32_t Checksum(absl::string_view bytes) {
  return static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

void AppendNumber(uint32_t number, std::string& out) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(number >> shift));
}

uint32_t NumberAt(absl::string_view bytes) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i) number |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return number;
}

std::string Framed(absl::string_view body) {
  std::string bytes;
  bytes.reserve(kFrame + body.size());
  AppendNumber(static_cast<uint32_t>(body.size()), bytes);
  AppendNumber(Checksum(body), bytes);
  bytes.append(body.data(), body.size());
  return bytes;
}

std::string Framed(const journal::v1::Record& record) { return Framed(record.SerializeAsString()); }

// ---------------------------------------------------------------- records

journal::v1::Record ToProto(const record::Session& session) {
  journal::v1::Record record;
  journal::v1::Session& proto = *record.mutable_session();
  proto.set_id(session.id.value());
  proto.set_tenant(session.tenant);
  proto.set_instance(session.instance);
  proto.set_pid(session.process.pid);
  proto.set_start_time(session.process.start_time);
  proto.set_uid(session.process.uid);
  proto.set_gid(session.process.gid);
  proto.set_engine(session.engine);
  proto.set_floor_bytes(session.floor.in_bytes());
  return record;
}

journal::v1::Record ToProto(const record::Lease& lease) {
  journal::v1::Record record;
  journal::v1::Lease& proto = *record.mutable_lease();
  proto.set_id(lease.id.value());
  proto.set_session(lease.session.value());
  proto.set_arena(lease.arena.value());
  for (const Bytes plane : lease.planes) proto.add_plane_bytes(plane.in_bytes());
  proto.set_slots(lease.slots);
  proto.set_held(lease.held);
  proto.set_returned(lease.returned);
  return record;
}

journal::v1::Record ToProto(const record::SessionEnded& ended) {
  journal::v1::Record record;
  record.set_session_ended(ended.id.value());
  return record;
}

// None: a record of a kind that this version does not know.
std::optional<Record> FromProto(const journal::v1::Record& record) {
  switch (record.body_case()) {
    case journal::v1::Record::kSession: {
      const journal::v1::Session& proto = record.session();
      return record::Session{
          .id = SessionId(proto.id()),
          .tenant = proto.tenant(),
          .instance = proto.instance(),
          .process = {.pid = proto.pid(), .start_time = proto.start_time(), .uid = proto.uid(), .gid = proto.gid()},
          .engine = proto.engine(),
          .floor = Bytes(proto.floor_bytes())};
    }
    case journal::v1::Record::kLease: {
      const journal::v1::Lease& proto = record.lease();
      record::Lease lease = {.id = LeaseId(proto.id()),
                             .session = SessionId(proto.session()),
                             .arena = ArenaId(proto.arena()),
                             .slots = proto.slots(),
                             .held = proto.held(),
                             .returned = proto.returned()};
      for (const uint64_t bytes : proto.plane_bytes()) lease.planes.push_back(Bytes(bytes));
      return lease;
    }
    case journal::v1::Record::kSessionEnded:
      return record::SessionEnded{SessionId(record.session_ended())};
    case journal::v1::Record::kHeader:
    case journal::v1::Record::BODY_NOT_SET:
      break;
  }
  return std::nullopt;
}

// Why the header is not that of our own journal; empty: it is.
std::string Foreign(const journal::v1::Header& header, const JournalOwner& owner) {
  if (header.format() != kFormat) {
    return absl::StrCat("it has format ", header.format(), ", this broker reads ", kFormat);
  }
  if (header.boot_id() != owner.boot_id) return "it is of another boot";
  if (header.device_uuid() != owner.device_uuid) {
    return absl::StrCat("it is of ", absl::CHexEscape(header.device_uuid()));
  }
  return "";
}

// The bytes of the record at the start of `rest`. None: `trouble` says why.
std::optional<absl::string_view> NextBody(absl::string_view rest, std::string& trouble) {
  if (rest.size() < kFrame) {
    trouble = "the last record is cut off";
    return std::nullopt;
  }
  const uint32_t length = NumberAt(rest);
  if (length > kLongestRecord) {
    trouble = absl::StrCat("a record of ", length, " bytes");
    return std::nullopt;
  }
  if (rest.size() - kFrame < length) {
    trouble = "the last record is cut off";
    return std::nullopt;
  }
  const absl::string_view body = rest.substr(kFrame, length);
  if (Checksum(body) == NumberAt(rest.substr(4))) return body;
  trouble = "a record's checksum is wrong";
  return std::nullopt;
}

}  // namespace

std::string EncodeRecord(const Record& record) {
  return Framed(std::visit([](const auto& r) { return ToProto(r); }, record));
}

std::string EncodeJournal(const JournalOwner& owner, uint64_t epoch, const Accounts& accounts) {
  journal::v1::Record header;
  header.mutable_header()->set_format(kFormat);
  header.mutable_header()->set_boot_id(owner.boot_id);
  header.mutable_header()->set_device_uuid(owner.device_uuid);
  header.mutable_header()->set_epoch(epoch);
  header.mutable_header()->set_next_session(accounts.next_session().value());
  header.mutable_header()->set_next_lease(accounts.next_lease().value());
  std::string bytes = Framed(header);
  for (const Record& record : accounts.Records()) bytes += EncodeRecord(record);
  return bytes;
}

std::string FrameForTesting(absl::string_view body) { return Framed(body); }

ParsedJournal ParseJournal(absl::string_view bytes, const JournalOwner& owner) {
  ParsedJournal parsed;
  while (parsed.used < bytes.size()) {
    const std::optional<absl::string_view> body = NextBody(bytes.substr(parsed.used), parsed.trouble);
    if (!body.has_value()) break;
    journal::v1::Record record;
    if (!record.ParseFromArray(body->data(), static_cast<int>(body->size()))) {
      parsed.trouble = "a record that is none";
      break;
    }
    if (parsed.used == 0) {
      parsed.trouble = record.has_header() ? Foreign(record.header(), owner) : "it has no header";
      if (!parsed.trouble.empty()) break;
      parsed.epoch = record.header().epoch();
      parsed.accounts.BeginAt(SessionId(record.header().next_session()), LeaseId(record.header().next_lease()));
    } else if (const std::optional<Record> known = FromProto(record)) {
      parsed.accounts.Apply(*known);
    }
    parsed.used += kFrame + body->size();
  }
  return parsed;
}

}  // namespace kvbroker
