// The rooms: memory outside the broker that it keeps free for somebody, or kept.
//
//   $ kvctl rooms
//   HOST-demo (host memory, 24 GiB): capacity 20.0 GiB
//
//   SESSION  TENANT   PID  STATE     ROOM     USED  HELD BACK    AGE  ENGINE
//         3  launch  4720  ready  2.0 GiB  512 MiB    1.5 GiB  4.0 s  kvctl launch: python

#include "cli/rooms.h"

#include "absl/strings/str_cat.h"
#include "cli/format.h"
#include "cli/headline.h"
#include "cli/json.h"
#include "common/base/status.h"

namespace kvbroker::cli {

std::string RenderRooms(const admin::v1::Status& status, const admin::v1::ListRoomsResponse& rooms) {
  const std::string headline = absl::StrCat(Headline(status), "\n\n");
  if (rooms.rooms().empty()) return absl::StrCat(headline, "No rooms.\n");
  Table table({{"SESSION"},
               {"TENANT", Table::Align::kLeft},
               {"PID"},
               {"STATE", Table::Align::kLeft},
               {"ROOM"},
               {"USED"},
               {"HELD BACK"},
               {"AGE"},
               {"ENGINE", Table::Align::kLeft}});
  for (const admin::v1::Room& room : rooms.rooms()) {
    table.AddRow({absl::StrCat(room.session_id()), room.tenant(), absl::StrCat(room.pid()), room.state(),
                  FormatSize(room.bytes()), FormatSize(room.used()), FormatSize(room.held_back()),
                  FormatDuration(room.age_ms()), room.engine()});
  }
  return absl::StrCat(headline, table.ToString());
}

Command::Text RoomsCommand::text() const {
  return {.name = "rooms",
          .what = "List the rooms: memory outside the broker that it keeps free for somebody",
          .examples =
              "  kvctl rooms\n"
              "  kvctl rooms --json | jq '.rooms[] | select(.state == \"waiting\")'\n"
              "A room is asked for (ROOM), waiting for its turn, making (others are asked to give back), ready (free\n"
              "for its owner alone), and settled once its owner says what it really took. USED is as far as the\n"
              "device shows it, HELD BACK what nobody else may have. To run a program in a room: kvctl launch.\n"};
}

absl::Status RoomsCommand::Run(const Context& context) {
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where));
  KVB_ASSIGN_OR_RETURN(const admin::v1::ListRoomsResponse rooms,
                       broker.Ask(&admin::v1::Admin::Stub::ListRooms, admin::v1::ListRoomsRequest()));
  if (context.output == Output::kJson) {
    context.console.out << ToJson(rooms);
    return absl::OkStatus();
  }
  KVB_ASSIGN_OR_RETURN(const admin::v1::Status status,
                       broker.Ask(&admin::v1::Admin::Stub::GetStatus, admin::v1::GetStatusRequest()));
  context.console.out << RenderRooms(status, rooms);
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
