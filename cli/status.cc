// How the device's memory is divided now.
//
//   $ kvctl status
//   HOST-demo (host memory, 2 GiB): capacity 2.0 GiB
//
//     ██████████████████▊·····················  granted 960 MiB, 47 % of the capacity
//   …

#include "cli/status.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/headline.h"
#include "cli/json.h"
#include "common/base/status.h"

namespace kvbroker::cli {
namespace {

constexpr size_t kBarWidth = 40;

std::string Row(absl::string_view name, uint64_t bytes, absl::string_view meaning) {
  return absl::StrCat("  ", PadRight(name, 9), PadLeft(FormatSize(bytes), 10), "  ", meaning, "\n");
}

std::string BarRow(const admin::v1::Memory& memory, Colour colour) {
  Line line = {{"  ", Style::kPlain}};
  for (Span& span : Bar({.scale = memory.capacity(), .granted = memory.granted()}, kBarWidth)) {
    line.push_back(std::move(span));
  }
  std::string share;
  if (memory.capacity() > 0) {
    const double part = static_cast<double>(memory.granted()) / static_cast<double>(memory.capacity());
    share = absl::StrFormat(", %.0f %% of the capacity", std::floor(part * 100));
  }
  line.push_back({absl::StrCat("  granted ", FormatSize(memory.granted()), share), Style::kPlain});
  return absl::StrCat(Paint(line, colour), "\n");
}

std::string Owners(const admin::v1::Status& status) {
  std::string text =
      absl::StrCat("to ", Count(status.sessions(), "session"), " of ", Count(status.tenants(), "tenant"));
  const uint64_t draining = status.memory().draining();
  if (draining > 0) absl::StrAppend(&text, "; ", FormatSize(draining), " draining");
  return text;
}

// Those that are over are not shown: what they took is among the others' by now.
std::string Rooms(const admin::v1::ListRoomsResponse& rooms) {
  std::string text;
  for (const admin::v1::Room& room : rooms.rooms()) {
    if (room.state() == "settled") continue;
    absl::StrAppend(&text, std::string(23, ' '), room.tenant(), ", process ", room.pid(), ": ",
                    FormatSize(room.bytes()), ", ", room.state(), " for ", FormatDuration(room.age_ms()), "\n");
  }
  return text;
}

std::string RowIfAny(absl::string_view name, uint64_t bytes, absl::string_view meaning) {
  return bytes == 0 ? "" : Row(name, bytes, meaning);
}

std::string WrittenOff(const admin::v1::Counters& counters) {
  if (counters.written_off() == 0) return "";
  return absl::StrCat("  ", FormatSize(counters.written_off()),
                      " were given back and stayed in use: counted as used by others\n");
}

std::string Zeroing(const admin::v1::Status& status) {
  if (status.zeroing().empty()) return "";
  return absl::StrCat("  zeroing of memory between two owners: ", status.zeroing(), "\n");
}

}  // namespace

std::string RenderStatus(const admin::v1::Status& status, const admin::v1::ListRoomsResponse& rooms, Colour colour) {
  const admin::v1::Memory& memory = status.memory();
  const admin::v1::Counters& counters = status.counters();
  const std::string cap =
      memory.capacity_cap() == 0 ? "no cap is set" : absl::StrCat("capped at ", FormatSize(memory.capacity_cap()));
  return absl::StrCat(
      Headline(status), "\n\n",                                                                             //
      BarRow(memory, colour), "\n",                                                                         //
      Row("capacity", memory.capacity(), absl::StrCat("the most that may be granted now; ", cap)),          //
      Row("granted", memory.granted(), Owners(status)),                                                     //
      Row("waiting", memory.waiting(), "wanted, within the limits, and not granted"),                       //
      RowIfAny("asked", memory.asked_back(), "of what sessions hold, asked back and not given back yet"),   //
      RowIfAny("at risk", memory.guarantee_at_risk(), "of guarantees, could not be had back in time now"),  //
      Row("room", memory.room(), "held back for memory outside the broker"), Rooms(rooms),
      Row("headroom", memory.headroom(), "never lent"),                                                  //
      Row("others", memory.used_by_others(), "used by programs that do not borrow from the broker"),     //
      Row("broker", memory.used_by_broker(), "used by the broker itself"),                               //
      Row("free", memory.driver_free(), "what the driver shows as free"),                                //
      Row("total", memory.total(), "what the device has"),                                               //
      "\n  ", Count(counters.grants(), "grant"), " of ", Count(counters.granted_slots(), "slot"), ", ",  //
      Count(counters.refusals(), "refusal"), ", ", Count(counters.create_failures(), "failed create"),   //
      "; ", Count(counters.sessions_opened(), "session"), " opened, ", counters.sessions_ended(), " ended\n",
      WrittenOff(counters), Zeroing(status),
      status.refuses_new_sessions() ? "  drained: no new sessions are admitted (kvctl drain --off)\n" : "",
      "  kvbrokerd ", status.version(), ", process ", status.pid(), ", epoch ", status.epoch(), ", up ",
      FormatDuration(status.uptime_ms()), ", policy revision ", memory.policy_revision(), "\n");
}

Command::Text StatusCommand::text() const {
  return {.name = "status",
          .what = "Show the device, its capacity and who uses its memory",
          .examples =
              "  kvctl status\n"
              "  kvctl status --json | jq '.memory.granted | tonumber'\n"};
}

absl::Status StatusCommand::Run(const Context& context) {
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where));
  KVB_ASSIGN_OR_RETURN(const admin::v1::Status status,
                       broker.Ask(&admin::v1::Admin::Stub::GetStatus, admin::v1::GetStatusRequest()));
  if (context.output == Output::kJson) {
    context.console.out << ToJson(status);
    return absl::OkStatus();
  }
  KVB_ASSIGN_OR_RETURN(const admin::v1::ListRoomsResponse rooms,
                       broker.Ask(&admin::v1::Admin::Stub::ListRooms, admin::v1::ListRoomsRequest()));
  context.console.out << RenderStatus(status, rooms, context.console.colour);
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
