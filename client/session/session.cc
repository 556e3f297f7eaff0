#include "client/session/session.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/arena/fork_guard.h"
#include "client/channel/broker_connection.h"
#include "client/session/session_worker.h"
#include "common/base/arena_bounds.h"
#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/version.h"
#include "common/device/extent.h"
#include "common/device/open_device.h"

namespace kvbroker {
namespace {

absl::Status CheckArena(const ArenaOptions& options, Bytes granularity) {
  if (options.planes.empty() || options.planes.size() > kMostPlanes) {
    return absl::InvalidArgumentError(
        absl::StrCat("an arena has 1 to ", kMostPlanes, " planes, not ", options.planes.size()));
  }
  if (options.slots == 0 || options.slots > kMostSlots) {
    return absl::InvalidArgumentError(absl::StrCat("an arena has 1 to ", kMostSlots, " slots, not ", options.slots));
  }
  Bytes slot;
  for (const Bytes plane : options.planes) {
    if (plane.IsZero() || plane.in_bytes() % granularity.in_bytes() != 0) {
      return absl::InvalidArgumentError(absl::StrCat("an extent of ", plane.in_bytes(),
                                                     " bytes is no multiple of the device's granularity, ",
                                                     ToString(granularity)));
    }
    if (plane > kLargestArena) return absl::InvalidArgumentError(absl::StrCat("an extent of ", ToString(plane)));
    slot += plane;
  }
  if (options.slots > kLargestArena / slot) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.slots, " slots of ", ToString(slot), " are more than ", ToString(kLargestArena)));
  }
  return absl::OkStatus();
}

v1::SetMode::Mode ModeOf(SessionMode mode) {
  switch (mode) {
    case SessionMode::kActive:
      return v1::SetMode::ACTIVE;
    case SessionMode::kIdle:
      return v1::SetMode::IDLE;
    case SessionMode::kAsleep:
      return v1::SetMode::ASLEEP;
  }
  return v1::SetMode::ACTIVE;
}

}  // namespace

// Members in the order in which they are destroyed rightly, last first: the worker uses the others.
class Session::Impl {
 public:
  std::unique_ptr<Device> owned_device;
  Device* device = nullptr;  // null: for room only
  EventQueue events;
  std::atomic<uint64_t> next_arena{1};
  ForkGuard guard;
  std::unique_ptr<SessionWorker> worker;
};

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Session::~Session() {
  // The parent's threads are not here to be joined.
  if (impl_->guard.forked()) [[maybe_unused]]
    Impl* leaked = impl_.release();
}

absl::StatusOr<std::unique_ptr<Session>> Session::Open(const SessionOptions& options) {
  auto impl = std::make_unique<Impl>();
  std::string socket = options.socket;
  if (socket.empty()) {
    KVB_ASSIGN_OR_RETURN(socket, FindEngineSocket(options.runtime_dir, options.device_uuid));
  }
  v1::ClientFrame frame;
  v1::Hello& hello = *frame.mutable_hello();
  hello.set_min_version(1);
  hello.set_max_version(1);
  hello.set_tenant(options.tenant);
  hello.set_instance_id(options.instance);
  hello.set_role(v1::ROLE_SINGLE);
  hello.set_device_uuid(options.device != nullptr ? options.device->info().uuid : options.device_uuid);
  hello.set_engine(options.engine);
  hello.set_library_version(kVersion);
  hello.set_progress_floor_bytes(options.progress_floor.in_bytes());
  KVB_ASSIGN_OR_RETURN(std::unique_ptr<BrokerConnection> connection, BrokerConnection::Open(socket, frame));

  if (!options.room_only) impl->device = options.device;
  if (impl->device == nullptr && !options.room_only) {
    const v1::Welcome& welcome = connection->welcome();
    KVB_ASSIGN_OR_RETURN(impl->owned_device, OpenDeviceByUuid(welcome.device_uuid(), welcome.device_kind()));
    impl->device = impl->owned_device.get();
  }
  const SessionWorker::Options worker = {
      .socket = socket, .hello = hello, .device = impl->device, .events = &impl->events};
  impl->worker = std::make_unique<SessionWorker>(worker, std::move(connection));
  return std::unique_ptr<Session>(new Session(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<Arena>> Session::CreateArena(const ArenaOptions& options) {
  KVB_RETURN_IF_ERROR(impl_->guard.Check());
  if (impl_->device == nullptr) {
    return absl::FailedPreconditionError("the session was opened for room only: it has no device to map an arena on");
  }
  KVB_RETURN_IF_ERROR(CheckArena(options, impl_->device->info().granularity));
  KVB_RETURN_IF_ERROR(impl_->device->BindThread());
  std::vector<Reservation> ranges;
  for (const Bytes plane : options.planes) {
    KVB_ASSIGN_OR_RETURN(Reservation range, Reservation::Create(*impl_->device, plane * options.slots));
    ranges.push_back(std::move(range));
  }
  SessionWorker& worker = *impl_->worker;
  std::unique_ptr<Arena> arena(new Arena(options, impl_->next_arena++, *impl_->device, std::move(ranges),
                                         worker.wake_fd(), [&worker](Arena& closing) { worker.RemoveArena(closing); }));
  worker.AddArena(arena.get());
  return arena;
}

absl::Status Session::ReserveRoom(Bytes bytes, absl::Duration timeout, absl::Duration ttl) {
  KVB_RETURN_IF_ERROR(impl_->guard.Check());
  return impl_->worker->room().Reserve(bytes, timeout, ttl);
}

absl::Status Session::SettleRoom(Bytes actual) {
  KVB_RETURN_IF_ERROR(impl_->guard.Check());
  return impl_->worker->room().Settle(actual);
}

absl::Status Session::SetMode(SessionMode mode) {
  KVB_RETURN_IF_ERROR(impl_->guard.Check());
  impl_->worker->SetMode(ModeOf(mode));
  return absl::OkStatus();
}

absl::Status Session::ReportExternal(Bytes bytes, Bytes trimmable) {
  KVB_RETURN_IF_ERROR(impl_->guard.Check());
  if (trimmable > bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("trimmable, ", ToString(trimmable), ", is part of the bytes, ", ToString(bytes)));
  }
  impl_->worker->ReportExternal(bytes, trimmable);
  return absl::OkStatus();
}

Session::Info Session::info() const {
  Info info;
  if (impl_->device != nullptr) {
    const DeviceInfo& device = impl_->device->info();
    info = {.device_uuid = device.uuid,
            .device_kind = device.kind,
            .device_ordinal = device.ordinal,
            .granularity = device.granularity};
  }
  if (impl_->guard.forked()) return info;
  const SessionWorker::State state = impl_->worker->state();
  if (impl_->device == nullptr) {
    info.device_uuid = state.welcome.device_uuid();
    info.device_kind = state.welcome.device_kind();
    info.granularity = Bytes(state.welcome.granularity());
  }
  info.session_id = state.welcome.session_id();
  info.epoch = state.welcome.epoch();
  info.connected = state.connected;
  info.capacity = Bytes(state.welcome.capacity());
  if (state.welcome.limit() != UINT64_MAX) info.limit = Bytes(state.welcome.limit());
  info.target = state.target.max;
  info.target_within = std::max(state.target.by - MonotonicNow(), absl::ZeroDuration());
  info.eviction_age = state.target.eviction_age;
  return info;
}

Device& Session::device() const { return *impl_->device; }

int Session::event_fd() const { return impl_->events.fd(); }

std::optional<SessionEvent> Session::NextEvent() {
  if (impl_->guard.forked()) return std::nullopt;
  return impl_->events.Pop();
}

}  // namespace kvbroker
