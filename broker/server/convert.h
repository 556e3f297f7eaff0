#ifndef KVBROKER_BROKER_SERVER_CONVERT_H_
#define KVBROKER_BROKER_SERVER_CONVERT_H_

#include <optional>

#include "absl/status/statusor.h"
#include "broker/core/effect.h"
#include "broker/core/event.h"
#include "broker/core/report.h"
#include "broker/server/event_log.h"
#include "common/base/ids.h"
#include "proto/admin.pb.h"
#include "proto/engine.pb.h"

namespace kvbroker {

// Between the protocol's messages and the core's events and effects. Nothing is decided here: what a message says, the
// event says. An empty or unknown message becomes event::Unsupported.

Event ToEvent(SessionId session, const v1::ClientMessage& message);

// A frame of an admitted session's hand-over channel. INVALID_ARGUMENT: no frame for that place; names it.
absl::StatusOr<Event> ToEvent(SessionId session, const v1::ClientFrame& frame);

// The first frame of a connection. INVALID_ARGUMENT: it is neither Hello nor Resume; a version that is not served.
absl::StatusOr<event::Hello> ToHello(ConnectionId connection, const ProcessIdentity& process, uint64_t epoch,
                                     const v1::ClientFrame& frame);

// With retry_ms where the status is one that time may change.
v1::BrokerFrame ToRejected(const absl::Status& status);

v1::BrokerMessage ToMessage(const effect::TellArenaOpened& told);
v1::BrokerMessage ToMessage(const effect::TellGrant& told);
v1::BrokerMessage ToMessage(const effect::TellRevoke& told);
v1::BrokerMessage ToMessage(const effect::TellTarget& told);
v1::BrokerMessage ToMessage(const effect::TellPolicy& told);
v1::BrokerMessage ToMessage(const effect::TellRoomReady& told);
v1::BrokerMessage ToMessage(const effect::TellTrim& told);
v1::BrokerMessage ToMessage(const effect::TellError& told);

// The memory, counters and numbers of a report; what the report does not know is left to the caller.
void FillStatus(const BrokerReport& report, admin::v1::Status& status);
void FillEvent(const EventLog::Entry& from, admin::v1::BrokerEvent& to);
void FillHolding(const Holding& from, admin::v1::Holding& to);
void FillTenant(const BrokerReport::Tenant& from, admin::v1::Tenant& to);
void FillSession(const BrokerReport::Session& from, admin::v1::Session& to);
void FillRoom(const BrokerReport::RoomRow& from, admin::v1::Room& to);

// The policy that a request asks for, where `current` is in force, `initial` is what the tenant began with, and
// percentages are of `whole`. INVALID_ARGUMENT: nothing is given; a percentage over 100; an unknown class or rule.
absl::StatusOr<TenantPolicy> ToPolicy(const admin::v1::SetTenantRequest& request, const TenantPolicy& current,
                                      const TenantPolicy& initial, Bytes whole);
// A size, or a percentage of `whole`. INVALID_ARGUMENT: neither; a percentage over 100.
absl::StatusOr<Bytes> ToSize(const admin::v1::Amount& amount, Bytes whole);
void FillPolicy(const TenantPolicy& from, admin::v1::TenantPolicy& to);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_CONVERT_H_
