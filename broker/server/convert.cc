#include "broker/server/convert.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/log.h"
#include "common/base/status.h"

namespace kvbroker {
namespace {

constexpr uint32_t kProtocolVersion = 1;

ArenaDescription ToArena(const v1::ArenaSpec& spec) {
  ArenaDescription arena = {.id = ArenaId(spec.arena_id()), .slots = spec.slots()};
  for (const v1::Plane& plane : spec.planes()) arena.planes.push_back(Bytes(plane.extent_bytes()));
  return arena;
}

Holding ToHolding(const v1::Holding& from) {
  Holding holding = {.spare = Bytes(from.spare()),
                     .free = Bytes(from.free()),
                     .compactable = Bytes(from.compactable()),
                     .preemptible = Bytes(from.preemptible()),
                     .pinned = Bytes(from.pinned()),
                     .refault = Bytes(from.refault_bytes()),
                     .response = absl::Milliseconds(from.response_ms())};
  const size_t ages = std::min<size_t>(kAgeClasses, static_cast<size_t>(from.cached_by_age_size()));
  for (size_t age = 0; age < ages; ++age) holding.cached_by_age[age] = Bytes(from.cached_by_age(static_cast<int>(age)));
  return holding;
}

uint32_t Milliseconds32(absl::Duration duration) {
  return static_cast<uint32_t>(std::clamp<int64_t>(absl::ToInt64Milliseconds(duration), 0, UINT32_MAX));
}

uint64_t Milliseconds(absl::Duration duration) {
  return static_cast<uint64_t>(std::max<int64_t>(absl::ToInt64Milliseconds(duration), 0));
}

SessionRole ToRole(v1::Role role) {
  switch (role) {
    case v1::ROLE_CONTROLLER:
      return SessionRole::kController;
    case v1::ROLE_MAPPER:
      return SessionRole::kMapper;
    default:
      return SessionRole::kSingle;
  }
}

// When to try again: sessions and tenants come free slowly, what a connection lacked may be there at once.
uint32_t RetryMilliseconds(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kResourceExhausted:
      return 1000;
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnavailable:
      return 100;
    default:
      return 0;
  }
}

uint64_t OrZero(const std::optional<Bytes>& bytes) { return bytes.has_value() ? bytes->in_bytes() : 0; }

}  // namespace

Event ToEvent(SessionId session, const v1::ClientMessage& message) {
  switch (message.body_case()) {
    case v1::ClientMessage::kArenaOpen:
      return event::ArenaOpen{.session = session, .arena = ToArena(message.arena_open().arena())};
    case v1::ClientMessage::kArenaClose:
      return event::ArenaClose{.session = session, .arena = ArenaId(message.arena_close().arena_id())};
    case v1::ClientMessage::kWant:
      return event::Want{.session = session,
                         .arena = ArenaId(message.want().arena_id()),
                         .revision = message.want().revision(),
                         .slots = message.want().slots(),
                         .min_useful = message.want().min_useful_slots()};
    case v1::ClientMessage::kReleased:
      return event::Released{.session = session,
                             .lease = LeaseId(message.released().lease_id()),
                             .total = message.released().cumulative_slots()};
    case v1::ClientMessage::kPoisoned:
      return event::Poisoned{.session = session, .error = Quoted(message.poisoned().error())};
    case v1::ClientMessage::kGoodbye:
      return event::Goodbye{.session = session};
    case v1::ClientMessage::kHolding:
      return event::HoldingReport{
          .session = session, .arena = ArenaId(message.holding().arena_id()), .holding = ToHolding(message.holding())};
    case v1::ClientMessage::kSetMode:
      return event::Remark{.session = session};
    case v1::ClientMessage::kReserveExternal:
      return event::ReserveExternal{.session = session,
                                    .request = message.reserve_external().request_id(),
                                    .bytes = Bytes(message.reserve_external().bytes()),
                                    .ttl = absl::Milliseconds(message.reserve_external().ttl_ms())};
    case v1::ClientMessage::kExternalSettled:
      return event::ExternalSettled{.session = session,
                                    .request = message.external_settled().request_id(),
                                    .bytes = Bytes(message.external_settled().bytes())};
    case v1::ClientMessage::kExternal:
      return event::External{.session = session,
                             .revision = message.external().revision(),
                             .bytes = Bytes(message.external().bytes()),
                             .trimmable = Bytes(message.external().trimmable())};
    case v1::ClientMessage::kReserve:
    case v1::ClientMessage::kCommit:
    case v1::ClientMessage::kCancel:
      return event::Unsupported{.session = session,
                                .what = "gang reservations are not served by this version of the broker"};
    case v1::ClientMessage::BODY_NOT_SET:
      break;
  }
  return event::Unsupported{.session = session, .what = "an empty message, or one that this broker does not know"};
}

absl::StatusOr<Event> ToEvent(SessionId session, const v1::ClientFrame& frame) {
  switch (frame.body_case()) {
    case v1::ClientFrame::kFetch:
      return event::Fetch{.session = session,
                          .lease = LeaseId(frame.fetch().lease_id()),
                          .max_slots = frame.fetch().max_slots(),
                          .confirm = BatchId(frame.fetch().confirm_batch())};
    case v1::ClientFrame::kConfirm:
      return event::Confirm{
          .session = session, .lease = LeaseId(frame.confirm().lease_id()), .batch = BatchId(frame.confirm().batch())};
    case v1::ClientFrame::kNack:
      return event::Nack{.session = session,
                         .lease = LeaseId(frame.nack().lease_id()),
                         .batch = BatchId(frame.nack().batch()),
                         .error = Quoted(frame.nack().error())};
    case v1::ClientFrame::kHello:
    case v1::ClientFrame::kResume:
      return absl::InvalidArgumentError("a second Hello on one connection");
    case v1::ClientFrame::BODY_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("an empty frame, or one that this broker does not know");
}

absl::StatusOr<event::Hello> ToHello(ConnectionId connection, const ProcessIdentity& process, uint64_t epoch,
                                     const v1::ClientFrame& frame) {
  const bool resumes = frame.body_case() == v1::ClientFrame::kResume;
  if (!resumes && frame.body_case() != v1::ClientFrame::kHello) {
    return absl::InvalidArgumentError("a connection begins with Hello or Resume");
  }
  const v1::Hello& hello = resumes ? frame.resume().hello() : frame.hello();
  if (hello.min_version() > kProtocolVersion || hello.max_version() < kProtocolVersion) {
    return absl::InvalidArgumentError(absl::StrCat("the client speaks versions ", hello.min_version(), " to ",
                                                   hello.max_version(), " of the protocol, this broker ",
                                                   kProtocolVersion));
  }
  constexpr size_t kLongestText = 256;
  if (std::max({hello.instance_id().size(), hello.engine().size(), hello.device_uuid().size()}) > kLongestText) {
    return absl::InvalidArgumentError(
        absl::StrCat("instance, engine and device are texts of at most ", kLongestText, " bytes"));
  }
  event::Hello event = {.connection = connection,
                        .process = process,
                        .tenant = hello.tenant(),
                        .instance = absl::CHexEscape(hello.instance_id()),
                        .role = ToRole(hello.role()),
                        .device_uuid = absl::CHexEscape(hello.device_uuid()),
                        .engine = absl::CHexEscape(hello.engine()),
                        .floor = Bytes(hello.progress_floor_bytes())};
  // Numbers of another epoch may be somebody else's by now, where a journal was lost.
  event.comes_back = resumes;
  if (resumes && frame.resume().epoch_seen() == epoch) event.resumes = SessionId(frame.resume().session_id());
  for (const v1::LeaseInventory& lease : frame.resume().inventory()) {
    const uint64_t slots = lease.active_slots() + lease.retiring_slots();
    if (slots < lease.active_slots()) {
      return absl::InvalidArgumentError(
          absl::StrCat("an inventory of ", lease.active_slots(), " slots and ", lease.retiring_slots(), " more"));
    }
    event.held.push_back({.arena = ToArena(lease.arena()), .slots = slots});
  }
  return event;
}

v1::BrokerFrame ToRejected(const absl::Status& status) {
  v1::BrokerFrame frame;
  frame.mutable_rejected()->set_code(static_cast<int32_t>(status.code()));
  frame.mutable_rejected()->set_message(std::string(status.message()));
  frame.mutable_rejected()->set_retry_ms(RetryMilliseconds(status.code()));
  return frame;
}

v1::BrokerMessage ToMessage(const effect::TellArenaOpened& told) {
  v1::BrokerMessage message;
  message.mutable_arena_opened()->set_arena_id(told.arena.value());
  message.mutable_arena_opened()->set_lease_id(told.lease.value());
  return message;
}

v1::BrokerMessage ToMessage(const effect::TellGrant& told) {
  v1::BrokerMessage message;
  message.mutable_grant()->set_lease_id(told.lease.value());
  message.mutable_grant()->set_cumulative_slots(told.total);
  message.mutable_grant()->set_want_revision(told.want_revision);
  return message;
}

v1::BrokerMessage ToMessage(const effect::TellRevoke& told) {
  v1::BrokerMessage message;
  message.mutable_revoke()->set_lease_id(told.lease.value());
  message.mutable_revoke()->set_cumulative_slots(told.total);
  return message;
}

v1::BrokerMessage ToMessage(const effect::TellTarget& told) {
  v1::BrokerMessage message;
  message.mutable_target()->set_revision(told.revision);
  message.mutable_target()->set_max_bytes(told.max.has_value() ? told.max->in_bytes() : UINT64_MAX);
  message.mutable_target()->set_within_ms(Milliseconds32(told.within));
  message.mutable_target()->set_urgency(told.urgent ? v1::URGENCY_HIGH : v1::URGENCY_NORMAL);
  message.mutable_target()->set_reason(told.reason);
  if (told.eviction_age.has_value()) {
    message.mutable_target()->set_eviction_age_ms(std::max<uint32_t>(1, Milliseconds32(*told.eviction_age)));
  }
  return message;
}

v1::BrokerMessage ToMessage(const effect::TellPolicy& told) {
  v1::BrokerMessage message;
  message.mutable_policy_changed()->set_limit(told.limit.has_value() ? told.limit->in_bytes() : UINT64_MAX);
  message.mutable_policy_changed()->set_reserved(told.reserved.in_bytes());
  message.mutable_policy_changed()->set_guarantee(told.guarantee.in_bytes());
  message.mutable_policy_changed()->set_revision(told.revision);
  return message;
}

v1::BrokerMessage ToMessage(const effect::TellRoomReady& told) {
  v1::BrokerMessage message;
  message.mutable_room_ready()->set_request_id(told.request);
  return message;
}

v1::BrokerMessage ToMessage(const effect::TellTrim& told) {
  v1::BrokerMessage message;
  message.mutable_trim()->set_revision(told.revision);
  message.mutable_trim()->set_bytes(told.bytes.in_bytes());
  return message;
}

v1::BrokerMessage ToMessage(const effect::TellError& told) {
  v1::BrokerMessage message;
  message.mutable_error()->set_code(static_cast<int32_t>(told.status.code()));
  message.mutable_error()->set_message(std::string(told.status.message()));
  message.mutable_error()->set_arena_id(told.arena.value());
  message.mutable_error()->set_request_id(told.request);
  message.mutable_error()->set_of_want(told.want_revision != 0);
  message.mutable_error()->set_want_revision(told.want_revision);
  return message;
}

void FillStatus(const BrokerReport& report, admin::v1::Status& status) {
  admin::v1::Memory& memory = *status.mutable_memory();
  memory.set_total(report.total.in_bytes());
  memory.set_driver_free(report.free.in_bytes());
  memory.set_capacity(report.capacity.in_bytes());
  memory.set_capacity_cap(OrZero(report.cap));
  memory.set_headroom(report.headroom.in_bytes());
  memory.set_granted(report.charged.in_bytes());
  memory.set_draining(report.returned.in_bytes());
  memory.set_used_by_others(report.used_by_others.in_bytes());
  memory.set_waiting(report.waiting.in_bytes());
  memory.set_room(report.room.in_bytes());
  memory.set_asked_back(report.asked_back.in_bytes());
  memory.set_guarantee_at_risk(report.guarantee_at_risk.in_bytes());
  memory.set_policy_revision(report.policy_revision);
  admin::v1::Counters& counters = *status.mutable_counters();
  counters.set_grants(report.counters.grants);
  counters.set_granted_slots(report.counters.granted_slots);
  counters.set_refusals(report.counters.refusals);
  counters.set_create_failures(report.counters.create_failures);
  counters.set_sessions_opened(report.counters.sessions_opened);
  counters.set_sessions_ended(report.counters.sessions_ended);
  counters.set_written_off(report.counters.written_off.in_bytes());
  status.set_sessions(static_cast<uint32_t>(report.sessions.size()));
  status.set_tenants(static_cast<uint32_t>(report.tenants.size()));
  status.set_refuses_new_sessions(!report.admits);
}

void FillEvent(const EventLog::Entry& from, admin::v1::BrokerEvent& to) {
  to.set_number(from.number);
  to.set_time_ms(static_cast<uint64_t>(absl::ToUnixMillis(from.at)));
  to.set_warning(from.warning);
  to.set_text(from.text);
}

void FillLatencies(const LatencyHistogram& from, admin::v1::Latencies& to) {
  for (const absl::Duration bound : LatencyHistogram::kBounds) to.add_upper_bound_s(absl::ToDoubleSeconds(bound));
  for (const uint64_t count : from.counts()) to.add_count(count);
  to.set_sum_s(absl::ToDoubleSeconds(from.sum()));
}

void FillHolding(const Holding& from, admin::v1::Holding& to) {
  to.set_spare(from.spare.in_bytes());
  to.set_free(from.free.in_bytes());
  for (const Bytes bytes : from.cached_by_age) to.add_cached_by_age(bytes.in_bytes());
  to.set_compactable(from.compactable.in_bytes());
  to.set_preemptible(from.preemptible.in_bytes());
  to.set_pinned(from.pinned.in_bytes());
  to.set_refault(from.refault.in_bytes());
}

void FillTenant(const BrokerReport::Tenant& from, admin::v1::Tenant& to) {
  to.set_name(from.name);
  FillPolicy(from.policy, *to.mutable_policy());
  FillPolicy(from.configured, *to.mutable_configured());
  to.set_granted(from.charged.in_bytes());
  to.set_wanted(from.wanted.in_bytes());
  to.set_entitled(from.entitled.in_bytes());
  to.set_external(from.external.in_bytes());
  to.set_trimmable(from.trimmable.in_bytes());
  to.set_floor(from.floor.in_bytes());
  to.set_has_turn(from.has_turn);
  to.set_waited_ms(Milliseconds(from.waited));
  to.set_starved_ms(Milliseconds(from.starved));
  to.set_guarantee_waits(from.assured_waits);
  to.set_guarantee_misses(from.assured_misses);
  to.set_guarantee_wait_ms(Milliseconds(from.assured_waited));
  to.set_missed_targets(from.missed_targets);
  to.set_reclaimed(from.reclaimed.in_bytes());
  to.set_sessions(from.sessions);
  to.set_peak(from.peak.in_bytes());
  FillLatencies(from.grants, *to.mutable_grants());
  FillLatencies(from.reclaims, *to.mutable_reclaims());
  if (from.squeezed_to.has_value()) to.set_trimmed_to(from.squeezed_to->in_bytes());
  to.set_set(from.set);
  to.set_listed(from.listed);
  FillHolding(from.holding, *to.mutable_holding());
}

void FillSession(const BrokerReport::Session& from, admin::v1::Session& to) {
  to.set_session_id(from.id.value());
  to.set_tenant(from.tenant);
  to.set_instance_id(from.instance);
  to.set_state(std::string(ToString(from.state)));
  to.set_pid(from.process.pid);
  to.set_uid(from.process.uid);
  to.set_engine(from.engine);
  to.set_granted(from.charged.in_bytes());
  to.set_active(from.active.in_bytes());
  to.set_in_flight(from.in_flight.in_bytes());
  to.set_returning(from.returned.in_bytes());
  to.set_wanted(from.wanted.in_bytes());
  to.set_target(from.target.has_value() ? from.target->in_bytes() : UINT64_MAX);
  to.set_age_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(from.age)));
  to.set_arenas(from.arenas);
  FillHolding(from.holding, *to.mutable_holding());
  to.set_response_ms(Milliseconds(from.response));
  to.set_missed_targets(from.missed_targets);
  to.set_over_target(from.over_target);
  to.set_external(from.external.in_bytes());
  to.set_trimmable(from.trimmable.in_bytes());
}

void FillRoom(const BrokerReport::RoomRow& from, admin::v1::Room& to) {
  const Room& room = from.room;
  to.set_session_id(room.session.value());
  to.set_tenant(from.tenant);
  to.set_pid(from.process.pid);
  to.set_engine(from.engine);
  to.set_state(std::string(ToString(room.state)));
  to.set_bytes(room.bytes.in_bytes());
  to.set_used(room.used.in_bytes());
  to.set_held_back(room.state == RoomState::kReady ? MinusOrZero(room.bytes, room.used).in_bytes() : 0);
  to.set_age_ms(Milliseconds(from.age));
}

namespace {

absl::StatusOr<std::optional<Bytes>> ToAmount(const admin::v1::Amount& amount, std::optional<Bytes> initial,
                                              Bytes whole) {
  switch (amount.amount_case()) {
    case admin::v1::Amount::kBytes:
      return Bytes(amount.bytes());
    case admin::v1::Amount::kPercent:
      if (!(amount.percent() >= 0 && amount.percent() <= 100)) {
        return absl::InvalidArgumentError(absl::StrCat(amount.percent(), "% is no percentage from 0% to 100%"));
      }
      return Bytes(static_cast<uint64_t>(static_cast<double>(whole.in_bytes()) * amount.percent() / 100));
    case admin::v1::Amount::kNone:
      return std::nullopt;
    case admin::v1::Amount::kInitial:
      return initial;
    case admin::v1::Amount::AMOUNT_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("no amount is given: bytes, percent, none or initial");
}

}  // namespace

absl::StatusOr<Bytes> ToSize(const admin::v1::Amount& amount, Bytes whole) {
  if (!amount.has_bytes() && !amount.has_percent())
    return absl::InvalidArgumentError("a size or a percentage is needed");
  KVB_ASSIGN_OR_RETURN(const std::optional<Bytes> size, ToAmount(amount, std::nullopt, whole));
  return *size;
}

absl::StatusOr<TenantPolicy> ToPolicy(const admin::v1::SetTenantRequest& request, const TenantPolicy& current,
                                      const TenantPolicy& initial, Bytes whole) {
  TenantPolicy policy = current;
  if (request.has_limit()) {
    KVB_ASSIGN_OR_RETURN(policy.limit, ToAmount(request.limit(), initial.limit, whole));
  }
  if (request.has_reserved()) {
    KVB_ASSIGN_OR_RETURN(const std::optional<Bytes> bytes, ToAmount(request.reserved(), initial.reserved, whole));
    policy.reserved = bytes.value_or(Bytes());
  }
  if (request.has_guarantee()) {
    KVB_ASSIGN_OR_RETURN(const std::optional<Bytes> bytes, ToAmount(request.guarantee(), initial.guarantee, whole));
    policy.guarantee = bytes.value_or(Bytes());
  }
  if (request.has_guarantee_deadline_ms()) {
    policy.guarantee_deadline = absl::Milliseconds(std::min<uint64_t>(request.guarantee_deadline_ms(), UINT32_MAX));
  }
  if (request.has_weight()) policy.weight = request.weight();
  if (request.has_tenant_class()) {
    switch (request.tenant_class()) {
      case admin::v1::BEST_EFFORT:
        policy.tenant_class = TenantClass::kBestEffort;
        break;
      case admin::v1::BATCH:
        policy.tenant_class = TenantClass::kBatch;
        break;
      case admin::v1::INTERACTIVE:
        policy.tenant_class = TenantClass::kInteractive;
        break;
      default:
        return absl::InvalidArgumentError(absl::StrCat("no class ", static_cast<int>(request.tenant_class())));
    }
  }
  if (request.has_missed_target()) {
    switch (request.missed_target()) {
      case admin::v1::NO_GROWTH:
        policy.missed_target = MissedTarget::kNoGrowth;
        break;
      case admin::v1::END_PROCESS:
        policy.missed_target = MissedTarget::kEndProcess;
        break;
      default:
        return absl::InvalidArgumentError(
            absl::StrCat("no rule for missed targets ", static_cast<int>(request.missed_target())));
    }
  }
  return policy;
}

void FillPolicy(const TenantPolicy& from, admin::v1::TenantPolicy& to) {
  to.set_reserved(from.reserved.in_bytes());
  to.set_guarantee(from.guarantee.in_bytes());
  to.set_guarantee_deadline_ms(Milliseconds(from.guarantee_deadline));
  to.set_limit(OrZero(from.limit));
  to.set_unlimited(!from.limit.has_value());
  to.set_weight(from.weight);
  switch (from.tenant_class) {
    case TenantClass::kBestEffort:
      to.set_tenant_class(admin::v1::BEST_EFFORT);
      break;
    case TenantClass::kBatch:
      to.set_tenant_class(admin::v1::BATCH);
      break;
    case TenantClass::kInteractive:
      to.set_tenant_class(admin::v1::INTERACTIVE);
      break;
  }
  to.set_missed_target(from.missed_target == MissedTarget::kEndProcess ? admin::v1::END_PROCESS : admin::v1::NO_GROWTH);
}

}  // namespace kvbroker
