#include "client/testing/fake_broker.h"

#include <grpcpp/server_posix.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <utility>

#include "common/base/check.h"
#include "common/device/extent.h"
#include "common/ipc/packet.h"

namespace kvbroker {
namespace {

constexpr uint64_t kLeaseOfArena = 100;
constexpr absl::Duration kSoon = absl::Seconds(10);

std::string ShortDir() {
  char name[] = "/tmp/kvfXXXXXX";
  return mkdtemp(name);
}

}  // namespace

FakeBroker::FakeBroker()
    : dir_(ShortDir()),
      device_(*HostDevice::Open({.name = "fake"})),
      stop_(eventfd(0, EFD_CLOEXEC)),
      listener_(*ListenSeqpacket(socket(), 0600)) {
  grpc::ServerBuilder builder;
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  thread_ = std::thread([this] { Run(); });
}

FakeBroker::~FakeBroker() {
  Leave();
  const uint64_t one = 1;
  KVB_CHECK(write(stop_.get(), &one, sizeof(one)) == sizeof(one), "eventfd");
  thread_.join();
  server_->Shutdown(std::chrono::system_clock::now());
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

void FakeBroker::set_grants(bool grants) {
  absl::MutexLock lock(&mu_);
  grants_ = grants;
}

void FakeBroker::Say(const v1::BrokerMessage& message) {
  absl::MutexLock lock(&mu_);
  SayLocked(message);
}

void FakeBroker::SayTarget(Bytes max, v1::Target target) {
  absl::MutexLock lock(&mu_);
  target.set_revision(++target_revision_);
  target.set_max_bytes(max.in_bytes());
  v1::BrokerMessage message;
  *message.mutable_target() = target;
  SayLocked(message);
}

void FakeBroker::SayLocked(const v1::BrokerMessage& message) {
  if (stream_ == nullptr) {
    unsaid_.push_back(message);
  } else {
    stream_->Write(message);
  }
}

void FakeBroker::Leave() {
  absl::MutexLock lock(&mu_);
  away_ = true;
  if (connection_.valid()) shutdown(connection_.get(), SHUT_RDWR);
  if (context_ != nullptr) context_->TryCancel();
}

void FakeBroker::Return() {
  absl::MutexLock lock(&mu_);
  away_ = false;
}

void FakeBroker::set_resumes(bool resumes) {
  absl::MutexLock lock(&mu_);
  resumes_ = resumes;
}

v1::Resume FakeBroker::resume() const {
  absl::MutexLock lock(&mu_);
  return resume_;
}

v1::Hello FakeBroker::hello() const {
  absl::MutexLock lock(&mu_);
  return hello_;
}

std::vector<v1::ClientMessage> FakeBroker::heard() const {
  absl::MutexLock lock(&mu_);
  return heard_;
}

void FakeBroker::Forget() {
  absl::MutexLock lock(&mu_);
  heard_.clear();
}

std::vector<v1::ClientMessage> FakeBroker::Heard(const Is& is) const {
  absl::MutexLock lock(&mu_);
  std::vector<v1::ClientMessage> messages;
  std::copy_if(heard_.begin(), heard_.end(), std::back_inserter(messages), is);
  return messages;
}

bool FakeBroker::Hears(const Is& is, size_t times) const {
  const auto heard = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return static_cast<size_t>(std::count_if(heard_.begin(), heard_.end(), is)) >= times;
  };
  absl::MutexLock lock(&mu_);
  return mu_.AwaitWithTimeout(absl::Condition(&heard), kSoon);
}

// ---------------------------------------------------------------- control channel

grpc::Status FakeBroker::Negotiate(grpc::ServerContext* context, Stream* stream) {
  {
    absl::MutexLock lock(&mu_);
    stream_ = stream;
    context_ = context;
    for (const v1::BrokerMessage& message : std::exchange(unsaid_, {})) stream_->Write(message);
  }
  for (v1::ClientMessage message; stream->Read(&message);) {
    absl::MutexLock lock(&mu_);
    if (stream_ == stream) Handle(message);
  }
  absl::MutexLock lock(&mu_);
  if (stream_ == stream) {
    stream_ = nullptr;
    context_ = nullptr;
  }
  return grpc::Status::OK;
}

void FakeBroker::Handle(const v1::ClientMessage& message) {
  heard_.push_back(message);
  v1::BrokerMessage answer;
  if (message.has_arena_open()) {
    const v1::ArenaSpec& arena = message.arena_open().arena();
    const uint64_t number = arena.arena_id() + kLeaseOfArena;
    leases_[number] = {.arena = arena};
    answer.mutable_arena_opened()->set_arena_id(arena.arena_id());
    answer.mutable_arena_opened()->set_lease_id(number);
    SayLocked(answer);
  } else if (message.has_released()) {
    leases_[message.released().lease_id()].released = message.released().cumulative_slots();
  } else if (message.has_want() && grants_) {
    const uint64_t number = message.want().arena_id() + kLeaseOfArena;
    Lease& lease = leases_[number];
    lease.granted = std::max(lease.granted, message.want().slots() + lease.released);
    answer.mutable_grant()->set_lease_id(number);
    answer.mutable_grant()->set_cumulative_slots(lease.granted);
    answer.mutable_grant()->set_want_revision(message.want().revision());
    SayLocked(answer);
  }
}

// ---------------------------------------------------------------- hand-over channel

void FakeBroker::Run() {
  for (;;) {
    pollfd fds[3] = {{.fd = stop_.get(), .events = POLLIN}, {.fd = listener_.get(), .events = POLLIN}, {.fd = -1}};
    {
      absl::MutexLock lock(&mu_);
      fds[2] = {.fd = connection_.get(), .events = POLLIN};
    }
    poll(fds, 3, -1);
    if (fds[0].revents != 0) return;
    if (fds[1].revents != 0) Accept();
    if (fds[2].revents != 0 && !HandlePacket()) {
      absl::MutexLock lock(&mu_);
      connection_.Reset();
    }
  }
}

void FakeBroker::Accept() {
  UniqueFd accepted(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  absl::MutexLock lock(&mu_);
  if (!away_) connection_ = std::move(accepted);
}

bool FakeBroker::HandlePacket() {
  absl::MutexLock lock(&mu_);
  const absl::StatusOr<std::optional<Packet>> packet = ReceivePacket(connection_.get());
  v1::ClientFrame frame;
  if (!packet.ok() || !packet->has_value() || !frame.ParseFromString((*packet)->bytes)) return false;
  if (frame.has_hello()) Welcome(frame.hello());
  if (frame.has_resume()) Resume(frame.resume());
  if (frame.has_fetch()) SendBatch(frame.fetch());
  return true;
}

void FakeBroker::Welcome(const v1::Hello& hello) {
  hello_ = hello;
  leases_.clear();
  heard_.clear();
  unsaid_.clear();
  stream_ = nullptr;
  context_ = nullptr;
  target_revision_ = 0;
  int ends[2];
  KVB_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0, "socketpair");
  const UniqueFd theirs(ends[1]);
  grpc::AddInsecureChannelFromFd(server_.get(), ends[0]);
  v1::BrokerFrame frame;
  v1::Welcome& welcome = *frame.mutable_welcome();
  welcome.set_version(1);
  welcome.add_features("external");
  if (resumes_) welcome.add_features("resume");
  welcome.set_session_id(++session_);
  welcome.set_epoch(session_);
  welcome.set_granularity(device_->info().granularity.in_bytes());
  welcome.set_capacity(GiB(2).in_bytes());
  welcome.set_limit(UINT64_MAX);
  welcome.set_device_uuid(device_->info().uuid);
  welcome.set_device_kind(device_->info().kind);
  SendPacket(connection_.get(), frame.SerializeAsString(), {theirs.get()}).IgnoreError();
}

void FakeBroker::Resume(const v1::Resume& resume) {
  Welcome(resume.hello());
  if (!resumes_) return;
  resume_ = resume;
  for (const v1::LeaseInventory& held : resume.inventory()) {
    const uint64_t number = held.arena().arena_id() + kLeaseOfArena;
    leases_[number] = {.arena = held.arena(), .granted = held.active_slots(), .sent = held.active_slots()};
    v1::BrokerMessage opened;
    opened.mutable_arena_opened()->set_arena_id(held.arena().arena_id());
    opened.mutable_arena_opened()->set_lease_id(number);
    SayLocked(opened);
  }
}

void FakeBroker::SendBatch(const v1::Fetch& fetch) {
  Lease& lease = leases_[fetch.lease_id()];
  const uint64_t planes = std::max(lease.arena.planes_size(), 1);
  const uint64_t slots =
      std::min<uint64_t>({fetch.max_slots(), lease.granted - lease.sent, std::max<uint64_t>(1, 64 / planes)});
  v1::BrokerFrame frame;
  frame.mutable_handles()->set_lease_id(fetch.lease_id());
  frame.mutable_handles()->set_slots(static_cast<uint32_t>(slots));
  if (slots > 0) frame.mutable_handles()->set_batch(++lease.batch);
  lease.sent += slots;
  std::vector<UniqueFd> owned;
  std::vector<int> fds;
  for (uint64_t slot = 0; slot < slots; ++slot) {
    for (const v1::Plane& plane : lease.arena.planes()) {
      owned.push_back(*Extent::Create(*device_, Bytes(plane.extent_bytes()))->Export());
      fds.push_back(owned.back().get());
    }
  }
  SendPacket(connection_.get(), frame.SerializeAsString(), fds).IgnoreError();
}

}  // namespace kvbroker
