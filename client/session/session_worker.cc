#include "client/session/session_worker.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status.h"

namespace kvbroker {
namespace {

// Handles and descriptors that wait to be let go of.
constexpr size_t kMostUsedExtents = 512;

constexpr absl::Duration kLeavingTakesAtMost = absl::Seconds(1);
constexpr absl::Duration kSoonestReconnect = absl::Milliseconds(10);
constexpr absl::Duration kLatestReconnect = absl::Seconds(2);
// A connection that lived so long was a good one: the next attempt after it comes at once.
constexpr absl::Duration kGoodConnection = absl::Seconds(2);

// Whether the broker takes over what a client holds that comes back to it.
bool TakesOver(const v1::Welcome& welcome) {
  return std::count(welcome.features().begin(), welcome.features().end(), "resume") > 0;
}

// Whether a refusal may be for the inventory: trying again with it would not help.
bool IsAboutWhatIsHeld(const absl::Status& refusal) {
  return absl::IsFailedPrecondition(refusal) || absl::IsInvalidArgument(refusal) || absl::IsDataLoss(refusal);
}

v1::ArenaSpec SpecOf(const Arena& arena, uint64_t id) {
  v1::ArenaSpec spec;
  spec.set_arena_id(id);
  spec.set_slots(arena.slots());
  for (size_t plane = 0; plane < arena.planes(); ++plane) {
    spec.add_planes()->set_extent_bytes(arena.extent_bytes(plane).in_bytes());
  }
  return spec;
}

}  // namespace

SessionWorker::SessionWorker(const Options& options, std::unique_ptr<BrokerConnection> connection)
    : options_(options),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      room_([this] { WakeUp(); }),
      reconnect_delay_(kSoonestReconnect) {
  Connected(std::move(connection));
  thread_ = std::thread([this] { Run(); });
}

SessionWorker::~SessionWorker() {
  Do([this] { stopping_ = true; });
  thread_.join();
  Leave();
  if (reader_.joinable()) reader_.join();
}

void SessionWorker::Leave() {
  const absl::Time deadline = MonotonicNow() + kLeavingTakesAtMost;
  for (;;) {
    if (connection_ == nullptr) TryReconnect(deadline - MonotonicNow());
    if (connection_ != nullptr) {
      v1::ClientMessage message;
      message.mutable_goodbye();
      Send(message);
      connection_->HalfClose();
      // A broker that hangs is not waited for.
      if (!reader_end_->done.WaitForNotificationWithTimeout(deadline - MonotonicNow())) return connection_->Cancel();
      if (reader_end_->status.ok()) return;
      connection_->CloseHandOver();
      connection_.reset();
    }
    // The next broker would charge us with what we had until this process ends.
    if (resume_refused_ || MonotonicNow() > deadline) return;
    absl::SleepFor(kSoonestReconnect);
  }
}

void SessionWorker::Do(Task task) {
  {
    absl::MutexLock lock(&mu_);
    inbox_.push_back(std::move(task));
  }
  WakeUp();
}

void SessionWorker::WakeUp() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(wake_.get(), &one, sizeof(one));
}

SessionWorker::State SessionWorker::state() const {
  absl::MutexLock lock(&mu_);
  return state_;
}

void SessionWorker::AddArena(Arena* arena) {
  Do([this, arena] {
    arenas_[arena->id_] = arena;
    arena->away_ = connection_ == nullptr;
    OpenAtBroker(*arena);
  });
}

void SessionWorker::RemoveArena(Arena& arena) {
  absl::Notification done;
  Do([this, &arena, &done] {
    std::vector<uint64_t> slots;
    while (const std::optional<uint64_t> slot = arena.table_.WithdrawHighest()) slots.push_back(*slot);
    while (const std::optional<uint64_t> slot = arena.table_.Take()) slots.push_back(*slot);
    for (uint64_t slot = 0; slot < arena.slots(); ++slot) {
      if (arena.table_.Retire(slot)) slots.push_back(slot);
    }
    {
      absl::MutexLock lock(&arena.mu_);
      slots.insert(slots.end(), arena.retired_.begin(), arena.retired_.end());
      arena.retired_.clear();
    }
    arena.closing_ = true;
    // As it goes: what the device shows free already would else stand on two accounts, this one's and the next one's.
    UnmapAndRelease(arena, slots);
    v1::ClientMessage message;
    message.mutable_arena_close()->set_arena_id(arena.id_);
    Send(message);
    arenas_.erase(arena.id_);
    reporters_.erase(arena.id_);
    done.Notify();
  });
  done.WaitForNotification();
}

void SessionWorker::SetMode(v1::SetMode::Mode mode) {
  Do([this, mode] {
    mode_ = mode;
    TellMode();
  });
}

void SessionWorker::ReportExternal(Bytes bytes, Bytes trimmable) {
  outside_.Set(bytes, trimmable);
  WakeUp();
}

void SessionWorker::Run() {
  pthread_setname_np(pthread_self(), "kvb-session");
  if (options_.device != nullptr) {
    if (const absl::Status bound = options_.device->BindThread(); !bound.ok()) {
      LogError("the session's thread cannot use the device: ", bound.message());
    }
  }
  while (!stopping_) {
    Wait();
    TakeInbox();
    if (connection_ != nullptr) ReceiveBatches();
    if (MonotonicNow() >= reconnect_at_) TryReconnect();
    for (const v1::ClientMessage& message : room_.TakeOutgoing()) Send(message);
    TellExternal();
    ShareTarget();
    for (const auto& [id, arena] : arenas_) Tend(*arena);
    if (broken_.has_value()) Disconnected(*std::exchange(broken_, std::nullopt));
    // Off the path: closing and releasing have slow tails. While a batch is on its way it goes before them.
    if (!Fetching() || used_extents_.size() > kMostUsedExtents) {
      used_extents_.clear();
      used_fds_.clear();
    }
  }
}

bool SessionWorker::Fetching() const {
  return std::any_of(arenas_.begin(), arenas_.end(), [](const auto& entry) {
    absl::MutexLock lock(&entry.second->mu_);
    return entry.second->books_.fetching;
  });
}

void SessionWorker::Wait() {
  pollfd fds[2] = {{.fd = wake_.get(), .events = POLLIN}};
  nfds_t count = 1;
  if (connection_ != nullptr) fds[count++] = {.fd = connection_->hand_over_fd(), .events = POLLIN};
  const absl::Time next = std::min(wake_at_, reconnect_at_);
  int timeout_ms = -1;
  if (next != absl::InfiniteFuture()) {
    const int64_t ms = absl::ToInt64Milliseconds(absl::Ceil(next - MonotonicNow(), absl::Milliseconds(1)));
    timeout_ms = static_cast<int>(std::clamp<int64_t>(ms, 0, 60'000));
  }
  poll(fds, count, timeout_ms);
  if ((fds[0].revents & POLLIN) != 0) {
    uint64_t ignored;
    [[maybe_unused]] const ssize_t n = read(wake_.get(), &ignored, sizeof(ignored));
  }
  wake_at_ = absl::InfiniteFuture();
}

void SessionWorker::WakeAt(absl::Time when) { wake_at_ = std::min(wake_at_, when); }

void SessionWorker::TakeInbox() {
  std::deque<Task> tasks;
  {
    absl::MutexLock lock(&mu_);
    tasks.swap(inbox_);
  }
  for (const Task& task : tasks) task();
}

// ---------------------------------------------------------------- the connection

void SessionWorker::Connected(std::unique_ptr<BrokerConnection> connection) {
  connection_ = std::move(connection);
  connected_at_ = MonotonicNow();
  reconnect_at_ = absl::InfiniteFuture();
  target_revision_ = 0;
  {
    absl::MutexLock lock(&mu_);
    state_.welcome = connection_->welcome();
    state_.connected = true;
    state_.target = {};
  }
  room_.BrokerBack();
  outside_.Connected(connection_->welcome());
  if (reader_.joinable()) reader_.join();
  reader_end_ = std::make_shared<ReaderEnd>();
  reader_ = std::thread([this, connection = connection_, end = reader_end_] {
    pthread_setname_np(pthread_self(), "kvb-reader");
    v1::BrokerMessage message;
    while (connection->Read(message)) {
      Do([this, connection, message] {
        if (connection == connection_) HandleMessage(message);
      });
    }
    end->status = connection->End();
    Do([this, connection] {
      if (connection == connection_) Disconnected(absl::UnavailableError("the broker ended the stream"));
    });
    end->done.Notify();
  });
}

void SessionWorker::Disconnected(const absl::Status& why) {
  LogWarning("kvbroker: the broker is away: ", why.message());
  // Before anything new is said: the broker must see the old connection end first, and what waits in it go.
  connection_->CloseHandOver();
  connection_->Cancel();
  connection_.reset();
  if (MonotonicNow() - connected_at_ > kGoodConnection) reconnect_delay_ = kSoonestReconnect;
  PlanReconnect();
  {
    absl::MutexLock lock(&mu_);
    state_.connected = false;
  }
  for (const auto& [id, arena] : arenas_) {
    arena->away_ = true;
    // Whoever waits for growth is told now.
    absl::MutexLock lock(&arena->mu_);
    arena->books_ = {.foreign = arena->table_.mapped()};
    arena->wanted_ = 0;
    arena->refusal_ = absl::OkStatus();  // the next broker may see it otherwise
  }
  reporters_.clear();
  told_mode_ = v1::SetMode::ACTIVE;
  room_.BrokerAway();
  options_.events->Push({.kind = SessionEvent::Kind::kBrokerAway, .text = std::string(why.message())});
}

v1::ClientFrame SessionWorker::Greeting() {
  v1::ClientFrame frame;
  if (std::exchange(resume_refused_, false)) {
    *frame.mutable_hello() = options_.hello;
    return frame;
  }
  const v1::Welcome before = state().welcome;
  v1::Resume& resume = *frame.mutable_resume();
  *resume.mutable_hello() = options_.hello;
  resume.set_session_id(before.session_id());
  resume.set_epoch_seen(before.epoch());
  for (const auto& [id, arena] : arenas_) {
    v1::LeaseInventory& lease = *resume.add_inventory();
    *lease.mutable_arena() = SpecOf(*arena, id);
    absl::MutexLock lock(&arena->mu_);
    lease.set_active_slots(arena->books_.foreign);
  }
  return frame;
}

void SessionWorker::TryReconnect(absl::Duration patience) {
  const v1::ClientFrame frame = Greeting();
  absl::StatusOr<std::unique_ptr<BrokerConnection>> connection =
      BrokerConnection::Open(options_.socket, frame, patience);
  // A broker that does not believe what we say we hold, or cannot take it over, may have us without it.
  const bool refused = connection.ok() ? !TakesOver((*connection)->welcome()) : IsAboutWhatIsHeld(connection.status());
  resume_refused_ = frame.has_resume() && refused;
  if (!connection.ok() || resume_refused_) return PlanReconnect();
  // Before anybody can see that it is back: who sees it may wait for growth.
  for (const auto& [id, arena] : arenas_) arena->away_ = false;
  Connected(*std::move(connection));
  LogInfo("kvbroker: the broker is back, session ", connection_->welcome().session_id());
  TellMode();
  for (const auto& [id, arena] : arenas_) {
    if (frame.has_resume()) {
      absl::MutexLock lock(&arena->mu_);
      arena->books_.Resume();
    } else {
      OpenAtBroker(*arena);
    }
  }
  options_.events->Push({.kind = SessionEvent::Kind::kBrokerBack});
}

void SessionWorker::PlanReconnect() {
  // Jittered, so that the engines of a node do not come all at once.
  reconnect_at_ = MonotonicNow() + reconnect_delay_ * absl::Uniform(random_, 0.5, 1.0);
  reconnect_delay_ = std::min(reconnect_delay_ * 2, kLatestReconnect);
}

void SessionWorker::OpenAtBroker(Arena& arena) {
  v1::ClientMessage message;
  *message.mutable_arena_open()->mutable_arena() = SpecOf(arena, arena.id_);
  Send(message);
}

void SessionWorker::TellMode() {
  if (connection_ == nullptr || mode_ == told_mode_) return;
  told_mode_ = mode_;
  v1::ClientMessage message;
  message.mutable_set_mode()->set_mode(mode_);
  Send(message);
}

void SessionWorker::TellExternal() {
  if (connection_ == nullptr) return;
  if (std::optional<v1::External> external = outside_.Take(MonotonicNow())) {
    v1::ClientMessage message;
    *message.mutable_external() = *std::move(external);
    Send(message);
  }
  WakeAt(outside_.next());
}

void SessionWorker::Send(const v1::ClientMessage& message) {
  // A stream that has ended is noticed by the reader.
  if (connection_ != nullptr) connection_->Send(message);
}

void SessionWorker::SendFrame(const v1::ClientFrame& frame) {
  if (connection_ == nullptr || broken_.has_value()) return;
  // Acted on when the arenas are in order again (Run).
  if (const absl::Status sent = connection_->Send(frame); !sent.ok()) broken_ = sent;
}

// ---------------------------------------------------------------- what the broker says

Arena* SessionWorker::FindByLease(uint64_t lease) {
  for (const auto& [id, arena] : arenas_) {
    absl::MutexLock lock(&arena->mu_);
    if (arena->books_.lease.value() == lease) return arena;
  }
  return nullptr;
}

Arena* SessionWorker::FindById(uint64_t id) {
  const auto it = arenas_.find(id);
  return it == arenas_.end() ? nullptr : it->second;
}

void SessionWorker::HandleMessage(const v1::BrokerMessage& message) {
  switch (message.body_case()) {
    case v1::BrokerMessage::kArenaOpened:
      if (Arena* arena = FindById(message.arena_opened().arena_id())) {
        bool released = false;
        {
          absl::MutexLock lock(&arena->mu_);
          arena->books_.lease = LeaseId(message.arena_opened().lease_id());
          released = arena->books_.released > 0;  // since it was said what is held
        }
        if (released) TellWantAndReleased(*arena, true);
      }
      return;
    case v1::BrokerMessage::kGrant:
      if (Arena* arena = FindByLease(message.grant().lease_id())) {
        absl::MutexLock lock(&arena->mu_);
        arena->books_.granted = std::max(arena->books_.granted, message.grant().cumulative_slots());
        arena->books_.nothing_left = false;
      }
      return;
    case v1::BrokerMessage::kRevoke:
      if (Arena* arena = FindByLease(message.revoke().lease_id())) {
        absl::MutexLock lock(&arena->mu_);
        arena->books_.revoked = std::max(arena->books_.revoked, message.revoke().cumulative_slots());
        arena->books_.nothing_left = false;
      }
      return;
    case v1::BrokerMessage::kTarget:
      return SetTarget(message.target());
    case v1::BrokerMessage::kPolicyChanged:
      return SetLimit(message.policy_changed());
    case v1::BrokerMessage::kRoomReady:
      return room_.Ready(message.room_ready().request_id());
    case v1::BrokerMessage::kTrim:
      return options_.events->Push({.kind = SessionEvent::Kind::kTrim, .bytes = Bytes(message.trim().bytes())});
    case v1::BrokerMessage::kError:
      return HandleError(message.error());
    default:
      return;  // of a newer broker, or nothing to act on
  }
}

void SessionWorker::HandleError(const v1::Error& error) {
  if (error.request_id() != 0) {
    const auto code = error.code() == 0 ? absl::StatusCode::kUnknown : static_cast<absl::StatusCode>(error.code());
    const absl::Status why(code, error.message());
    if (room_.Refused(error.request_id(), why)) return;  // told to whoever waits for it
  }
  if (error.of_want()) {
    Arena* arena = FindById(error.arena_id());
    // One that was said anew meanwhile is another question.
    if (arena == nullptr || !arena->RefuseWant(error.want_revision(), error.message())) return;
  }
  LogWarning("kvbroker: refused by the broker: ", error.message());
  options_.events->Push({.kind = SessionEvent::Kind::kRefused, .arena = error.arena_id(), .text = error.message()});
}

void SessionWorker::SetLimit(const v1::PolicyChanged& policy) {
  {
    absl::MutexLock lock(&mu_);
    state_.welcome.set_limit(policy.limit());
  }
  const SessionTarget target = state().target;
  options_.events->Push({.kind = SessionEvent::Kind::kTarget,
                         .bytes = target.max,
                         .text = "the tenant's limit has changed",
                         .within = std::max(target.by - MonotonicNow(), absl::ZeroDuration()),
                         .urgent = target.urgent,
                         .eviction_age = target.eviction_age});
}

void SessionWorker::SetTarget(const v1::Target& target) {
  if (target.revision() <= target_revision_) return;
  target_revision_ = target.revision();
  const absl::Time now = MonotonicNow();
  const SessionTarget newest = SessionTarget::Of(target, now);
  {
    absl::MutexLock lock(&mu_);
    state_.target = newest;
  }
  options_.events->Push({.kind = SessionEvent::Kind::kTarget,
                         .bytes = newest.max,
                         .text = target.reason(),
                         .within = newest.by - now,
                         .urgent = newest.urgent,
                         .eviction_age = newest.eviction_age});
}

void SessionWorker::ShareTarget() {
  std::vector<ArenaShare> arenas;
  for (const auto& [id, arena] : arenas_) {
    arenas.push_back({.slot = arena->slot_bytes(), .mapped = arena->table_.mapped()});
  }
  const std::vector<uint64_t> shares = kvbroker::ShareTarget(state().target.max, arenas);
  auto share = shares.begin();
  for (const auto& [id, arena] : arenas_) arena->target_slots_ = *share++;
}

}  // namespace kvbroker
