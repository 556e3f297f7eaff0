#include "client/session/session_worker.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status.h"

namespace kvbroker {
namespace {

// One batch is mapped here while the broker makes the next: small enough to overlap, large enough to be few.
constexpr uint32_t kFetchExtents = 32;

// Handles and descriptors that wait to be let go of.
constexpr size_t kMostUsedExtents = 512;

// Voluntary returns: at most 200 extents a second, ten at a time (a return costs the device's own work 27 µs each, and
// less in batches).
constexpr uint64_t kGiveBackExtents = 10;
constexpr absl::Duration kGiveBackInterval = absl::Milliseconds(50);

// How long an arena does not fetch after a batch that could not be imported or mapped: the cause rarely goes at once.
constexpr absl::Duration kFailedFetchPause = absl::Milliseconds(100);

constexpr absl::Duration kSoonestReconnect = absl::Milliseconds(10);
constexpr absl::Duration kLatestReconnect = absl::Seconds(2);
// A connection that lived so long was a good one: the next attempt after it comes at once.
constexpr absl::Duration kGoodConnection = absl::Seconds(2);

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
    : options_(options), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), reconnect_delay_(kSoonestReconnect) {
  Connected(std::move(connection));
  thread_ = std::thread([this] { Run(); });
}

SessionWorker::~SessionWorker() {
  Do([this] { stopping_ = true; });
  thread_.join();
  if (connection_ != nullptr) {
    v1::ClientMessage message;
    message.mutable_goodbye();
    Send(message);
    connection_->HalfClose();
    // The broker ends the stream over the goodbye; one that hangs is not waited for.
    if (!reader_done_->WaitForNotificationWithTimeout(absl::Seconds(1))) connection_->Cancel();
  }
  if (reader_.joinable()) reader_.join();
}

void SessionWorker::Do(Task task) {
  {
    absl::MutexLock lock(&mu_);
    inbox_.push_back(std::move(task));
  }
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
    Unmap(arena, slots);
    v1::ClientMessage message;
    message.mutable_arena_close()->set_arena_id(arena.id_);
    Send(message);
    arenas_.erase(arena.id_);
    done.Notify();
  });
  done.WaitForNotification();
}

void SessionWorker::Run() {
  pthread_setname_np(pthread_self(), "kvb-session");
  if (const absl::Status bound = options_.device->BindThread(); !bound.ok()) {
    LogError("the session's thread cannot use the device: ", bound.message());
  }
  while (!stopping_) {
    Wait();
    TakeInbox();
    if (connection_ != nullptr) ReceiveBatches();
    if (MonotonicNow() >= reconnect_at_) TryReconnect();
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
    state_.target.reset();
  }
  if (reader_.joinable()) reader_.join();
  reader_done_ = std::make_shared<absl::Notification>();
  reader_ = std::thread([this, connection = connection_, done = reader_done_] {
    pthread_setname_np(pthread_self(), "kvb-reader");
    v1::BrokerMessage message;
    while (connection->Read(message)) {
      Do([this, connection, message] {
        if (connection == connection_) HandleMessage(message);
      });
    }
    Do([this, connection] {
      if (connection == connection_) Disconnected(absl::UnavailableError("the broker ended the stream"));
    });
    done->Notify();
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
  }
  options_.events->Push({.kind = SessionEvent::Kind::kBrokerAway, .text = std::string(why.message())});
}

void SessionWorker::TryReconnect() {
  v1::ClientFrame frame;
  *frame.mutable_hello() = options_.hello;
  absl::StatusOr<std::unique_ptr<BrokerConnection>> connection = BrokerConnection::Open(options_.socket, frame);
  if (!connection.ok()) {
    return PlanReconnect();
  }
  Connected(*std::move(connection));
  LogInfo("kvbroker: the broker is back, session ", connection_->welcome().session_id());
  for (const auto& [id, arena] : arenas_) {
    arena->away_ = false;
    OpenAtBroker(*arena);
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
        absl::MutexLock lock(&arena->mu_);
        arena->books_.lease = LeaseId(message.arena_opened().lease_id());
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
    case v1::BrokerMessage::kError:
      LogWarning("kvbroker: refused by the broker: ", message.error().message());
      options_.events->Push({.kind = SessionEvent::Kind::kRefused,
                             .arena = message.error().arena_id(),
                             .text = message.error().message()});
      return;
    default:
      return;  // of a newer broker, or nothing to act on
  }
}

void SessionWorker::SetTarget(const v1::Target& target) {
  if (target.revision() <= target_revision_) return;
  target_revision_ = target.revision();
  std::optional<Bytes> max;
  if (target.max_bytes() != UINT64_MAX) max = Bytes(target.max_bytes());
  {
    absl::MutexLock lock(&mu_);
    state_.target = max;
  }
  options_.events->Push({.kind = SessionEvent::Kind::kTarget, .bytes = max, .text = target.reason()});
}

void SessionWorker::ShareTarget() {
  const std::optional<Bytes> target = state().target;
  Bytes mapped;
  for (const auto& [id, arena] : arenas_) mapped += arena->slot_bytes() * arena->table_.mapped();
  // Each may grow by what is left; what is too much is asked of one after the other.
  const Bytes left = target.has_value() ? MinusOrZero(*target, mapped) : Bytes();
  Bytes excess = target.has_value() ? MinusOrZero(mapped, *target) : Bytes();
  for (const auto& [id, arena] : arenas_) {
    if (!target.has_value()) {
      arena->target_slots_ = UINT64_MAX;
      continue;
    }
    const Bytes slot = arena->slot_bytes();
    const uint64_t has = arena->table_.mapped();
    const uint64_t give_back = std::min(RoundUp(excess, slot) / slot, has);
    excess = MinusOrZero(excess, slot * give_back);
    arena->target_slots_ = has - give_back + left / slot;
  }
}

// ---------------------------------------------------------------- batches

void SessionWorker::ReceiveBatches() {
  while (!broken_.has_value()) {
    absl::StatusOr<std::optional<Batch>> batch = connection_->Receive();
    if (!batch.ok()) {
      broken_ = batch.status();
      return;
    }
    if (!batch->has_value()) return;
    HandleBatch(**std::move(batch));
  }
}

void SessionWorker::HandleBatch(Batch batch) {
  const v1::Handles& handles = batch.handles;
  Arena* arena = FindByLease(handles.lease_id());
  if (arena == nullptr) {
    // Of an arena that was closed meanwhile: its lease has ended at the broker too.
    return;
  }
  {
    absl::MutexLock lock(&arena->mu_);
    arena->books_.fetching = false;
    if (handles.slots() == 0) arena->books_.NoteNothingLeft();
  }
  if (handles.slots() == 0) return;

  absl::Status imported;
  if (batch.fds.size() != handles.slots() * arena->planes()) {
    imported = absl::DataLossError(absl::StrCat(batch.fds.size(), " descriptors came for ", handles.slots(),
                                                " slots of ", arena->planes(), " planes"));
  }
  std::vector<std::vector<Extent>> slots;
  for (size_t i = 0; imported.ok() && i < handles.slots(); ++i) {
    std::vector<Extent>& slot = slots.emplace_back();
    for (size_t plane = 0; plane < arena->planes(); ++plane) {
      absl::StatusOr<Extent> extent =
          Extent::Import(*options_.device, batch.fds[i * arena->planes() + plane].get(), arena->extent_bytes(plane));
      imported.Update(extent.status());
      if (!extent.ok()) break;
      slot.push_back(*std::move(extent));
    }
  }
  std::move(batch.fds.begin(), batch.fds.end(), std::back_inserter(used_fds_));
  if (!imported.ok()) {
    LogWarning("kvbroker: a batch could not be imported: ", imported.message());
    v1::ClientFrame frame;
    frame.mutable_nack()->set_lease_id(handles.lease_id());
    frame.mutable_nack()->set_batch(handles.batch());
    frame.mutable_nack()->set_error(std::string(imported.message()));
    slots.clear();
    used_fds_.clear();
    arena->no_fetch_before_ = MonotonicNow() + kFailedFetchPause;
    return SendFrame(frame);
  }
  {
    absl::MutexLock lock(&arena->mu_);
    arena->books_.received += handles.slots();
  }
  // The broker makes the next batch ready while this one is mapped.
  Fetch(*arena, handles.batch());
  MapBatch(*arena, std::move(slots));
}

void SessionWorker::MapBatch(Arena& arena, std::vector<std::vector<Extent>> slots) {
  uint64_t lost = 0;
  for (std::vector<Extent>& extents : slots) {
    const std::optional<uint64_t> slot = arena.table_.LowestUnmapped();
    const absl::Status mapped =
        slot.has_value() ? arena.MapSlot(*slot, extents) : absl::InternalError("more slots came than the arena has");
    if (mapped.ok()) {
      arena.table_.Publish(*slot);
    } else {
      LogWarning("kvbroker: a slot could not be mapped: ", mapped.message());
      if (slot.has_value()) arena.table_.SetUnmapped(*slot);
      ++lost;
    }
    // A mapping keeps its memory; a slot that was not mapped is given back with this.
    std::move(extents.begin(), extents.end(), std::back_inserter(used_extents_));
  }
  if (lost > 0) {
    used_extents_.clear();
    arena.no_fetch_before_ = MonotonicNow() + kFailedFetchPause;
    {
      absl::MutexLock lock(&arena.mu_);
      arena.books_.Release(lost);
    }
    TellWantAndReleased(arena, /*released=*/true);
  }
  // Whoever waits for ready slots looks again when the lock is let go of.
  { absl::MutexLock lock(&arena.mu_); }
  options_.events->Push({.kind = SessionEvent::Kind::kReady, .arena = arena.id_});
}

// ---------------------------------------------------------------- tending an arena

void SessionWorker::Tend(Arena& arena) {
  arena.awake_ = false;
  arena.awake_for_low_ = false;
  UnmapRetired(arena);
  GiveBackSurplus(arena);
  TellWantAndReleased(arena, /*released=*/false);
  Fetch(arena, /*confirm_batch=*/0);
}

void SessionWorker::UnmapRetired(Arena& arena) {
  std::vector<uint64_t> slots;
  {
    absl::MutexLock lock(&arena.mu_);
    slots.swap(arena.retired_);
  }
  if (Unmap(arena, slots) > 0) TellWantAndReleased(arena, /*released=*/true);
}

void SessionWorker::GiveBackSurplus(Arena& arena) {
  const uint64_t mapped = arena.table_.mapped();
  const uint64_t target = arena.target_slots_.load();
  std::vector<uint64_t> slots;
  // The broker asks: at once.
  while (slots.size() + target < mapped) {
    const std::optional<uint64_t> slot = arena.table_.WithdrawHighest();
    if (!slot.has_value()) break;
    slots.push_back(*slot);
  }
  // More are ready than anybody needs: a few at a time.
  const absl::Time now = MonotonicNow();
  const auto surplus = [&] {
    const uint64_t keep = arena.explicit_want_.load();
    const uint64_t left = mapped - slots.size();
    return left > keep && arena.table_.ready() > arena.options_.high;
  };
  if (slots.empty() && surplus() && now >= arena.next_give_back_) {
    const uint64_t batch = std::max<uint64_t>(1, kGiveBackExtents / arena.planes());
    while (slots.size() < batch && surplus()) {
      const std::optional<uint64_t> slot = arena.table_.WithdrawHighest();
      if (!slot.has_value()) break;
      slots.push_back(*slot);
    }
    arena.next_give_back_ =
        now + kGiveBackInterval * (static_cast<double>(slots.size() * arena.planes()) / kGiveBackExtents);
  }
  if (Unmap(arena, slots) > 0) TellWantAndReleased(arena, /*released=*/true);
  if (surplus()) {
    WakeAt(std::max(arena.next_give_back_, now));  // it stays awake for this: Return need not wake it
  } else {
    arena.awake_for_high_ = false;
  }
}

uint64_t SessionWorker::Unmap(Arena& arena, const std::vector<uint64_t>& slots) {
  uint64_t unmapped = 0;
  for (const uint64_t slot : slots) {
    const absl::Status done = arena.UnmapSlot(slot);
    if (!done.ok()) {
      // Its memory cannot be given back: it stays charged until the process ends, and is used for nothing.
      LogError("kvbroker: slot ", slot, " could not be unmapped: ", done.message());
      continue;
    }
    arena.table_.NoteUnmapped(slot);
    ++unmapped;
  }
  if (unmapped > 0) {
    absl::MutexLock lock(&arena.mu_);
    arena.books_.Release(unmapped);
  }
  return unmapped;
}

void SessionWorker::TellWantAndReleased(Arena& arena, bool released) {
  const uint64_t desired = arena.DesiredSlots();
  v1::ClientMessage want;
  v1::ClientMessage release;
  bool want_changed = false;
  {
    absl::MutexLock lock(&arena.mu_);
    LeaseBooks& books = arena.books_;
    if (!books.lease) return;
    // What an earlier broker lent is not this one's to grant again.
    const uint64_t slots = std::min(desired + arena.options_.ahead, arena.slots());
    const uint64_t wanted = slots > books.foreign ? slots - books.foreign : 0;
    const uint64_t min_useful = arena.min_useful_.load();
    want_changed = wanted != arena.wanted_ || min_useful != arena.told_min_useful_;
    if (want_changed) {
      arena.wanted_ = wanted;
      want.mutable_want()->set_arena_id(arena.id_);
      want.mutable_want()->set_revision(++books.want_revision);
      want.mutable_want()->set_slots(wanted);
      want.mutable_want()->set_min_useful_slots(min_useful);
      arena.told_min_useful_ = min_useful;
    }
    release.mutable_released()->set_lease_id(books.lease.value());
    release.mutable_released()->set_cumulative_slots(books.released);
  }
  // In this order: what is given back must not be granted again for a want that is out of date.
  if (want_changed) Send(want);
  if (released) Send(release);
}

void SessionWorker::Fetch(Arena& arena, uint64_t confirm_batch) {
  const uint64_t desired = arena.DesiredSlots();
  v1::ClientFrame frame;
  {
    absl::MutexLock lock(&arena.mu_);
    LeaseBooks& books = arena.books_;
    if (!books.lease) return;
    // What was received is mapped, or about to be.
    const uint64_t here = books.received - books.released + books.foreign;
    const uint64_t missing = desired > here ? desired - here : 0;
    uint64_t slots = std::min(missing, books.fetchable());
    if (slots > 0 && MonotonicNow() < arena.no_fetch_before_) {
      WakeAt(arena.no_fetch_before_);
      slots = 0;
    }
    if (!books.fetching && !books.nothing_left && slots > 0) {
      const uint64_t batch = std::max<uint64_t>(1, kFetchExtents / arena.planes());
      frame.mutable_fetch()->set_lease_id(books.lease.value());
      frame.mutable_fetch()->set_max_slots(static_cast<uint32_t>(std::min(slots, batch)));
      frame.mutable_fetch()->set_confirm_batch(confirm_batch);
      books.NoteFetch();
    } else if (confirm_batch != 0) {
      frame.mutable_confirm()->set_lease_id(books.lease.value());
      frame.mutable_confirm()->set_batch(confirm_batch);
    } else {
      return;
    }
  }
  SendFrame(frame);
}

}  // namespace kvbroker
