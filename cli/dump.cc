// All that a broker says of itself, for who looks into it later.
//
//   $ kvctl dump > broker.json
//   $ jq '.sessions[].session | select(.state != "active")' broker.json

#include "cli/dump.h"

#include <utility>

#include "cli/connect.h"
#include "cli/json.h"
#include "common/base/status.h"

namespace kvbroker::cli {

Command::Text DumpCommand::text() const {
  return {
      .name = "dump",
      .what = "Print all that the broker knows as one JSON document, for a report of a fault",
      .examples =
          "  kvctl dump > broker.json\n"
          "  kvctl dump | jq '.sessions[] | [.session.session_id, .because]'\n"
          "The status, the tenants, the sessions and why each has no more, the rooms, and the events that the broker\n"
          "remembers. It has names of tenants and engines, process and user numbers, and nothing of what is in the\n"
          "memory.\n"};
}

absl::Status DumpCommand::Run(const Context& context) {
  using Stub = admin::v1::Admin::Stub;
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where));
  admin::v1::Dump dump;
  KVB_ASSIGN_OR_RETURN(*dump.mutable_status(), broker.Ask(&Stub::GetStatus, admin::v1::GetStatusRequest()));
  KVB_ASSIGN_OR_RETURN(admin::v1::ListTenantsResponse tenants,
                       broker.Ask(&Stub::ListTenants, admin::v1::ListTenantsRequest()));
  dump.mutable_tenants()->Swap(tenants.mutable_tenants());
  KVB_ASSIGN_OR_RETURN(const admin::v1::ListSessionsResponse sessions,
                       broker.Ask(&Stub::ListSessions, admin::v1::ListSessionsRequest()));
  for (const admin::v1::Session& session : sessions.sessions()) {
    admin::v1::WhyRequest request;
    request.set_session_id(session.session_id());
    absl::StatusOr<admin::v1::WhyResponse> why = broker.Ask(&Stub::Why, request);
    if (absl::IsUnavailable(why.status())) return why.status();
    if (!why.ok()) {  // it has ended meanwhile
      *dump.add_sessions()->mutable_session() = session;
      continue;
    }
    why->clear_tenant();  // it is among the tenants
    *dump.add_sessions() = *std::move(why);
  }
  KVB_ASSIGN_OR_RETURN(admin::v1::ListRoomsResponse rooms, broker.Ask(&Stub::ListRooms, admin::v1::ListRoomsRequest()));
  dump.mutable_rooms()->Swap(rooms.mutable_rooms());
  grpc::ClientContext call;
  broker.SetDeadline(call);
  const auto reader = broker.stub().Events(&call, admin::v1::EventsRequest());
  admin::v1::EventBatch batch;
  while (reader->Read(&batch)) dump.mutable_events()->MergeFrom(batch.events());
  if (const grpc::Status ended = reader->Finish(); !ended.ok()) return broker.Explain(ended);
  context.console.out << ToJson(dump);
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
