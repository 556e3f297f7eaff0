// The C API over Session and Arena: checks what the C++ types cannot, converts, calls, and turns the Status into a code
// and a message. No logic, and no exception leaves it.

#include "client/capi/kvbroker.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client/arena/arena.h"
#include "client/arena/fork_guard.h"
#include "client/arena/holding_report.h"
#include "client/capi/dlpack.h"
#include "client/capi/sized_struct.h"
#include "client/session/session.h"
#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/base/version.h"

namespace {

// What a live handle of each kind starts with. Gone when it is freed: a handle used too long is often recognised.
constexpr uint64_t kSessionMark = 0x6b76625f73657373;
constexpr uint64_t kArenaMark = 0x6b76625f6172656e;
constexpr uint64_t kNoMark = 0;

}  // namespace

struct kvb_session {
  std::atomic<uint64_t> mark{kSessionMark};
  const kvbroker::ForkGuard guard;
  const std::unique_ptr<kvbroker::Session> session;
  std::atomic<uint64_t> arenas{0};  // that were not destroyed yet

  // A session numbers its arenas from 1, in the order they are made: with this held, ours and its count agree.
  absl::Mutex creating;
  uint64_t newest_arena ABSL_GUARDED_BY(creating) = 0;

  explicit kvb_session(std::unique_ptr<kvbroker::Session> opened) : session(std::move(opened)) {}
  ~kvb_session() { mark = kNoMark; }
};

struct kvb_arena {
  std::atomic<uint64_t> mark{kArenaMark};
  kvb_session& session;  // Not owned; must outlive this.
  const std::unique_ptr<kvbroker::Arena> arena;
  const uint64_t id;
  const kvbroker::TensorCount tensors = std::make_shared<std::atomic<uint64_t>>(0);

  kvb_arena(kvb_session& of, std::unique_ptr<kvbroker::Arena> made, uint64_t number)
      : session(of), arena(std::move(made)), id(number) {
    ++session.arenas;
  }
  ~kvb_arena() { mark = kNoMark; }
};

namespace {

using kvbroker::Bytes;
using kvbroker::ReadStruct;
using kvbroker::SessionEvent;
using kvbroker::WriteStruct;

// The sizes of the structs' first versions. They never change.
constexpr uint32_t kSessionConfigV1 = 56;
constexpr uint32_t kSessionInfoV1 = 136;
constexpr uint32_t kEventV1 = 256;
constexpr uint32_t kArenaConfigV1 = 56;
constexpr uint32_t kArenaStatsV1 = 88;
constexpr uint32_t kHoldingV1 = 112;
static_assert(sizeof(kvb_session_config) >= kSessionConfigV1 && sizeof(struct kvb_session_info) >= kSessionInfoV1 &&
              sizeof(kvb_event) >= kEventV1 && sizeof(kvb_arena_config) >= kArenaConfigV1 &&
              sizeof(struct kvb_arena_stats) >= kArenaStatsV1 && sizeof(kvb_holding) >= kHoldingV1);

// Not a string: what happens when memory has run out is told too.
thread_local char last_error[512] = "";

// As much of `text` as there is room for, and a NUL.
template <size_t kRoom>
void CopyText(absl::string_view text, char (&to)[kRoom]) {
  const size_t length = std::min(text.size(), kRoom - 1);
  std::memcpy(to, text.data(), length);
  std::memset(to + length, 0, kRoom - length);
}

kvb_status CodeOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return KVB_OK;
    case absl::StatusCode::kInvalidArgument:
      return KVB_INVALID_ARGUMENT;
    case absl::StatusCode::kDeadlineExceeded:
      return KVB_DEADLINE_EXCEEDED;
    case absl::StatusCode::kNotFound:
      return KVB_NOT_FOUND;
    case absl::StatusCode::kPermissionDenied:
      return KVB_PERMISSION_DENIED;
    case absl::StatusCode::kResourceExhausted:
      return KVB_RESOURCE_EXHAUSTED;
    case absl::StatusCode::kFailedPrecondition:
      return KVB_FAILED_PRECONDITION;
    case absl::StatusCode::kUnimplemented:
      return KVB_UNIMPLEMENTED;
    case absl::StatusCode::kUnavailable:
      return KVB_UNAVAILABLE;
    case absl::StatusCode::kDataLoss:
      return KVB_DATA_LOSS;
    case absl::StatusCode::kUnauthenticated:
      return KVB_UNAUTHENTICATED;
    default:
      return KVB_INTERNAL;
  }
}

kvb_status Failed(kvb_status code, absl::string_view message) {
  CopyText(message, last_error);
  return code;
}

kvb_status CodeAndMessage(const absl::Status& status) {
  if (status.ok()) return KVB_OK;
  return Failed(CodeOf(status.code()), status.message());
}

// Runs the body of a function of the API, which returns a Status. The embedder may be C: nothing is thrown past here.
template <typename Body>
kvb_status Run(Body body) noexcept {
  try {
    return CodeAndMessage(body());
  } catch (const std::bad_alloc&) {
    return Failed(KVB_RESOURCE_EXHAUSTED, "out of host memory");
  } catch (const std::system_error& error) {  // a thread could not be started
    return Failed(KVB_RESOURCE_EXHAUSTED, error.what());
  } catch (const std::exception& error) {
    return Failed(KVB_INTERNAL, error.what());
  } catch (...) {
    return Failed(KVB_INTERNAL, "an unknown exception");
  }
}

absl::Status CheckHandle(const kvb_session* session) {
  if (session != nullptr && session->mark == kSessionMark) return absl::OkStatus();
  return absl::InvalidArgumentError(session == nullptr ? "session is NULL" : "session is no open session");
}

absl::Status CheckHandle(const kvb_arena* arena) {
  if (arena != nullptr && arena->mark == kArenaMark) return absl::OkStatus();
  return absl::InvalidArgumentError(arena == nullptr ? "arena is NULL" : "arena is no live arena");
}

// A handle that may be used in this process.
absl::Status CheckLive(const kvb_session* session) {
  KVB_RETURN_IF_ERROR(CheckHandle(session));
  return session->guard.Check();
}

absl::Status CheckLive(const kvb_arena* arena) {
  KVB_RETURN_IF_ERROR(CheckHandle(arena));
  return arena->session.guard.Check();
}

absl::Status CheckOutput(const void* pointer, const char* name) {
  if (pointer != nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " is NULL"));
}

absl::Status CheckZero(uint32_t value, const char* name) {
  if (value == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " is ", value, ", and this library knows none but 0"));
}

absl::Status CheckAtMost(uint32_t value, uint32_t most, const char* name) {
  if (value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " is ", value, ", and this library knows 0 to ", most));
}

absl::Status CheckPlane(const kvb_arena* arena, uint32_t plane) {
  KVB_RETURN_IF_ERROR(CheckLive(arena));
  if (plane < arena->arena->planes()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("plane ", plane, " of ", arena->arena->planes()));
}

std::string OrEmpty(const char* text) { return text == nullptr ? "" : text; }

uint64_t OrNoBound(const std::optional<Bytes>& bytes) { return bytes.has_value() ? bytes->in_bytes() : KVB_NO_BOUND; }

absl::Duration TimeoutOf(uint64_t ns) {
  return ns > INT64_MAX ? absl::InfiniteDuration() : absl::Nanoseconds(static_cast<int64_t>(ns));
}

// A duration that was told, for a field where 0 says that there is none.
uint32_t MsOf(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return 0;
  const int64_t ms = absl::ToInt64Milliseconds(absl::Ceil(duration, absl::Milliseconds(1)));
  return static_cast<uint32_t>(std::clamp<int64_t>(ms, 1, UINT32_MAX));
}

absl::StatusOr<kvbroker::SessionOptions> OptionsOf(const kvb_session_config* theirs) {
  KVB_ASSIGN_OR_RETURN(const kvb_session_config config, ReadStruct(theirs, kSessionConfigV1, "config"));
  KVB_RETURN_IF_ERROR(CheckZero(config.flags, "config.flags"));
  kvbroker::SessionOptions options = {.tenant = OrEmpty(config.tenant),
                                      .instance = OrEmpty(config.instance),
                                      .engine = OrEmpty(config.engine),
                                      .socket = OrEmpty(config.socket),
                                      .runtime_dir = OrEmpty(config.runtime_dir),
                                      .device_uuid = OrEmpty(config.device_uuid),
                                      .progress_floor = Bytes(config.progress_floor_bytes)};
  if (options.tenant.empty()) return absl::InvalidArgumentError("config.tenant is not given");
  return options;
}

absl::StatusOr<kvbroker::ArenaOptions> OptionsOf(const kvb_arena_config* theirs) {
  KVB_ASSIGN_OR_RETURN(const kvb_arena_config config, ReadStruct(theirs, kArenaConfigV1, "config"));
  KVB_RETURN_IF_ERROR(CheckZero(config.flags, "config.flags"));
  KVB_RETURN_IF_ERROR(CheckZero(config.reserved, "config.reserved"));
  KVB_RETURN_IF_ERROR(CheckOutput(config.extent_bytes, "config.extent_bytes"));
  if (config.planes > KVB_MAX_PLANES) {
    return absl::InvalidArgumentError(
        absl::StrCat("config.planes is ", config.planes, ", and ", KVB_MAX_PLANES, " is the most"));
  }
  kvbroker::ArenaOptions options = {
      .slots = config.slots, .low = config.low, .high = config.high, .ahead = config.ahead};
  for (const uint64_t bytes : absl::MakeConstSpan(config.extent_bytes, config.planes)) {
    options.planes.push_back(Bytes(bytes));
  }
  return options;
}

absl::StatusOr<kvbroker::HoldingReport> ReportOf(const kvb_holding* theirs) {
  KVB_ASSIGN_OR_RETURN(const kvb_holding holding, ReadStruct(theirs, kHoldingV1, "holding"));
  kvbroker::HoldingReport report = {.free = Bytes(holding.free),
                                    .compactable = Bytes(holding.compactable),
                                    .preemptible = Bytes(holding.preemptible),
                                    .pinned = Bytes(holding.pinned),
                                    .refault = Bytes(holding.refault_bytes),
                                    .response = absl::Milliseconds(holding.response_ms)};
  std::transform(std::begin(holding.cached_by_age), std::end(holding.cached_by_age), report.cached_by_age.begin(),
                 [](uint64_t bytes) { return Bytes(bytes); });
  return report;
}

kvbroker::Urgency UrgencyOf(uint32_t urgency) {
  switch (urgency) {
    case KVB_URGENCY_LOW:
      return kvbroker::Urgency::kLow;
    case KVB_URGENCY_HIGH:
      return kvbroker::Urgency::kHigh;
    default:
      return kvbroker::Urgency::kNormal;
  }
}

kvbroker::SessionMode ModeOf(uint32_t mode) {
  switch (mode) {
    case KVB_MODE_IDLE:
      return kvbroker::SessionMode::kIdle;
    case KVB_MODE_ASLEEP:
      return kvbroker::SessionMode::kAsleep;
    default:
      return kvbroker::SessionMode::kActive;
  }
}

uint32_t KindOf(SessionEvent::Kind kind) {
  switch (kind) {
    case SessionEvent::Kind::kTarget:
      return KVB_EVENT_TARGET;
    case SessionEvent::Kind::kReady:
      return KVB_EVENT_READY;
    case SessionEvent::Kind::kBrokerAway:
      return KVB_EVENT_BROKER_AWAY;
    case SessionEvent::Kind::kBrokerBack:
      return KVB_EVENT_BROKER_BACK;
    case SessionEvent::Kind::kRefused:
      return KVB_EVENT_REFUSED;
    case SessionEvent::Kind::kTrim:
      return KVB_EVENT_TRIM;
  }
  return KVB_EVENT_NONE;
}

}  // namespace

// ---------------------------------------------------------------- the library itself

uint32_t kvb_abi(void) { return KVB_ABI; }

const char* kvb_version(void) { return kvbroker::kVersion; }

const char* kvb_strerror(kvb_status status) {
  switch (status) {
    case KVB_OK:
      return "ok";
    case KVB_INVALID_ARGUMENT:
      return "invalid argument";
    case KVB_DEADLINE_EXCEEDED:
      return "not done in time";
    case KVB_NOT_FOUND:
      return "not found";
    case KVB_PERMISSION_DENIED:
      return "permission denied";
    case KVB_RESOURCE_EXHAUSTED:
      return "not enough now";
    case KVB_FAILED_PRECONDITION:
      return "not possible in this state";
    case KVB_UNIMPLEMENTED:
      return "not in this release";
    case KVB_INTERNAL:
      return "internal error";
    case KVB_UNAVAILABLE:
      return "the broker is away";
    case KVB_DATA_LOSS:
      return "a message arrived damaged";
    case KVB_UNAUTHENTICATED:
      return "not authenticated";
  }
  return "unknown status";
}

const char* kvb_last_error(void) { return last_error; }

// ---------------------------------------------------------------- session

kvb_status kvb_session_open(const kvb_session_config* config, kvb_session** session) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckOutput(session, "session"));
    *session = nullptr;
    KVB_ASSIGN_OR_RETURN(const kvbroker::SessionOptions options, OptionsOf(config));
    KVB_ASSIGN_OR_RETURN(std::unique_ptr<kvbroker::Session> opened, kvbroker::Session::Open(options));
    *session = new kvb_session(std::move(opened));
    return absl::OkStatus();
  });
}

kvb_status kvb_session_close(kvb_session* session) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckHandle(session));
    if (const uint64_t left = session->arenas; left > 0) {
      return absl::FailedPreconditionError(absl::StrCat("arenas of the session are left, destroy them first: ", left));
    }
    delete session;
    return absl::OkStatus();
  });
}

kvb_status kvb_session_info(const kvb_session* session, struct kvb_session_info* info) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckLive(session));
    const kvbroker::Session::Info state = session->session->info();
    struct kvb_session_info ours = {.connected = state.connected ? 1u : 0u,
                                    .session_id = state.session_id,
                                    .epoch = state.epoch,
                                    .granularity = state.granularity.in_bytes(),
                                    .capacity = state.capacity.in_bytes(),
                                    .limit = OrNoBound(state.limit),
                                    .target = OrNoBound(state.target),
                                    .target_within_ms = MsOf(state.target_within),
                                    .eviction_age_ms = MsOf(state.eviction_age)};
    CopyText(state.device_uuid, ours.device_uuid);
    CopyText(state.device_kind, ours.device_kind);
    return WriteStruct(ours, info, kSessionInfoV1, "info");
  });
}

kvb_status kvb_set_mode(kvb_session* session, uint32_t mode) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckLive(session));
    KVB_RETURN_IF_ERROR(CheckAtMost(mode, KVB_MODE_ASLEEP, "mode"));
    return session->session->SetMode(ModeOf(mode));
  });
}

kvb_status kvb_external_report(kvb_session* session, uint64_t bytes, uint64_t trimmable) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckLive(session));
    return session->session->ReportExternal(Bytes(bytes), Bytes(trimmable));
  });
}

// ---------------------------------------------------------------- room

kvb_status kvb_room_reserve(kvb_session* session, uint64_t bytes, uint64_t timeout_ns) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckLive(session));
    return session->session->ReserveRoom(Bytes(bytes), TimeoutOf(timeout_ns));
  });
}

kvb_status kvb_room_settle(kvb_session* session, uint64_t actual_bytes) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckLive(session));
    return session->session->SettleRoom(Bytes(actual_bytes));
  });
}

// ---------------------------------------------------------------- events

int kvb_event_fd(const kvb_session* session) {
  if (Run([&] { return CheckLive(session); }) != KVB_OK) return -1;
  return session->session->event_fd();
}

kvb_status kvb_next_event(kvb_session* session, kvb_event* event) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckLive(session));
    // Before one is taken off the queue: it would be lost where it cannot be told.
    KVB_RETURN_IF_ERROR(WriteStruct({.bytes = KVB_NO_BOUND}, event, kEventV1, "event"));
    const std::optional<SessionEvent> next = session->session->NextEvent();
    if (!next.has_value()) return absl::OkStatus();
    kvb_event ours = {.kind = KindOf(next->kind),
                      .arena = next->arena,
                      .bytes = OrNoBound(next->bytes),
                      .within_ms = MsOf(next->within),
                      .eviction_age_ms = MsOf(next->eviction_age),
                      .urgent = next->urgent ? 1u : 0u};
    CopyText(next->text, ours.text);
    return WriteStruct(ours, event, kEventV1, "event");
  });
}

// ---------------------------------------------------------------- arenas

kvb_status kvb_arena_create(kvb_session* session, const kvb_arena_config* config, kvb_arena** arena) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckOutput(arena, "arena"));
    *arena = nullptr;
    KVB_RETURN_IF_ERROR(CheckLive(session));
    KVB_ASSIGN_OR_RETURN(const kvbroker::ArenaOptions options, OptionsOf(config));
    absl::MutexLock lock(&session->creating);
    KVB_ASSIGN_OR_RETURN(std::unique_ptr<kvbroker::Arena> made, session->session->CreateArena(options));
    const uint64_t id = ++session->newest_arena;
    *arena = new kvb_arena(*session, std::move(made), id);
    return absl::OkStatus();
  });
}

kvb_status kvb_arena_destroy(kvb_arena* arena) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckHandle(arena));
    kvb_session& session = arena->session;
    // In a forked child nothing is unmapped.
    if (const uint64_t tensors = *arena->tensors; tensors > 0 && session.guard.Check().ok()) {
      return absl::FailedPreconditionError(absl::StrCat("tensors of the arena that are not deleted yet: ", tensors));
    }
    delete arena;
    --session.arenas;  // last: from here on the session may be closed
    return absl::OkStatus();
  });
}

uint64_t kvb_arena_id(const kvb_arena* arena) {
  if (Run([&] { return CheckHandle(arena); }) != KVB_OK) return 0;
  return arena->id;
}

void* kvb_arena_base(const kvb_arena* arena, uint32_t plane) {
  if (Run([&] { return CheckPlane(arena, plane); }) != KVB_OK) return nullptr;
  return reinterpret_cast<void*>(arena->arena->base(plane));
}

uint64_t kvb_arena_extent_bytes(const kvb_arena* arena, uint32_t plane) {
  if (Run([&] { return CheckPlane(arena, plane); }) != KVB_OK) return 0;
  return arena->arena->extent_bytes(plane).in_bytes();
}

kvb_status kvb_arena_dlpack(kvb_arena* arena, uint32_t plane, struct DLManagedTensor** tensor) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckOutput(tensor, "tensor"));
    *tensor = nullptr;
    KVB_RETURN_IF_ERROR(CheckPlane(arena, plane));
    KVB_RETURN_IF_ERROR(CheckLive(arena));
    const kvbroker::Session::Info info = arena->session.session->info();
    const bool on_gpu = info.device_kind == "cuda";
    *tensor = kvbroker::MakeTensor(
        reinterpret_cast<void*>(arena->arena->base(plane)),
        arena->arena->extent_bytes(plane).in_bytes() * arena->arena->slots(),
        {.device_type = on_gpu ? kvbroker::kDlCuda : kvbroker::kDlCpu, .device_id = on_gpu ? info.device_ordinal : 0},
        arena->tensors);
    return absl::OkStatus();
  });
}

kvb_status kvb_arena_want(kvb_arena* arena, uint64_t slots, uint64_t min_useful, uint32_t urgency) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckLive(arena));
    KVB_RETURN_IF_ERROR(CheckAtMost(urgency, KVB_URGENCY_HIGH, "urgency"));
    return arena->arena->SetWant(slots, min_useful, UrgencyOf(urgency));
  });
}

kvb_status kvb_arena_wait(kvb_arena* arena, uint64_t slots, uint64_t timeout_ns) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckLive(arena));
    if (slots > arena->arena->slots()) {
      return absl::InvalidArgumentError(absl::StrCat(slots, " of ", arena->arena->slots(), " slots"));
    }
    return arena->arena->WaitReady(slots, TimeoutOf(timeout_ns));
  });
}

kvb_status kvb_arena_take(kvb_arena* arena, uint64_t* slot) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckLive(arena));
    KVB_RETURN_IF_ERROR(CheckOutput(slot, "slot"));
    const std::optional<uint64_t> taken = arena->arena->Take();
    if (!taken.has_value()) return absl::ResourceExhaustedError("no slot is ready");
    *slot = *taken;
    return absl::OkStatus();
  });
}

kvb_status kvb_arena_take_many(kvb_arena* arena, uint64_t* slots, uint64_t capacity, uint64_t* taken) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckLive(arena));
    KVB_RETURN_IF_ERROR(CheckOutput(taken, "taken"));
    if (capacity > 0) KVB_RETURN_IF_ERROR(CheckOutput(slots, "slots"));
    for (*taken = 0; *taken < capacity; ++*taken) {
      const std::optional<uint64_t> slot = arena->arena->Take();
      if (!slot.has_value()) break;
      slots[*taken] = *slot;
    }
    return absl::OkStatus();
  });
}

kvb_status kvb_arena_return(kvb_arena* arena, uint64_t slot) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckLive(arena));
    return arena->arena->Return(slot);
  });
}

kvb_status kvb_arena_retire(kvb_arena* arena, const uint64_t* slots, uint64_t count) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckLive(arena));
    if (count > 0) KVB_RETURN_IF_ERROR(CheckOutput(slots, "slots"));
    return arena->arena->Retire(absl::MakeConstSpan(slots, count));
  });
}

kvb_status kvb_arena_report(kvb_arena* arena, const kvb_holding* holding) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckLive(arena));
    KVB_ASSIGN_OR_RETURN(const kvbroker::HoldingReport report, ReportOf(holding));
    return arena->arena->Report(report);
  });
}

kvb_status kvb_arena_stats(const kvb_arena* arena, struct kvb_arena_stats* stats) {
  return Run([&]() -> absl::Status {
    KVB_RETURN_IF_ERROR(CheckLive(arena));
    const kvbroker::Arena::Stats now = arena->arena->stats();
    const struct kvb_arena_stats ours = {.planes = static_cast<uint32_t>(arena->arena->planes()),
                                         .slots = now.slots,
                                         .mapped = now.mapped,
                                         .ready = now.ready,
                                         .taken = now.taken,
                                         .retiring = now.retiring,
                                         .granted = now.granted,
                                         .wanted = now.wanted,
                                         .target = now.target,
                                         .map_calls = now.map_calls,
                                         .unmap_calls = now.unmap_calls};
    return WriteStruct(ours, stats, kArenaStatsV1, "stats");
  });
}
