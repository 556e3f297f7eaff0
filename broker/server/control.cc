#include "broker/server/control.h"

#include <grpcpp/server_posix.h>

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/ipc/session_metadata.h"

namespace kvbroker {
namespace {

using Reactor = grpc::ServerBidiReactor<v1::ClientMessage, v1::BrokerMessage>;

// A call that is refused at once.
class Refusal : public Reactor {
 public:
  explicit Refusal(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

// One call of Negotiate. Owns itself until OnDone.
class ControlChannel::Stream : public Reactor {
 public:
  explicit Stream(std::shared_ptr<ControlChannel> channel) : channel_(std::move(channel)) {}

  void ReadNext() {
    incoming_.Clear();
    StartRead(&incoming_);
  }

  void OnReadDone(bool ok) override {
    {
      absl::MutexLock lock(&channel_->mu_);
      channel_->reading_ = false;
      if (!ok) return channel_->FinishStream(grpc::Status::OK);
    }
    channel_->on_message_(std::move(incoming_));
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&channel_->mu_);
    channel_->writing_ = false;
    if (ok) {
      channel_->WriteNext();
    } else {
      channel_->FinishStream(grpc::Status::OK);
    }
  }

  void OnCancel() override {
    absl::MutexLock lock(&channel_->mu_);
    channel_->FinishStream(grpc::Status::CANCELLED);
  }

  void OnDone() override {
    channel_->Detach(this);
    delete this;
  }

 private:
  const std::shared_ptr<ControlChannel> channel_;
  v1::ClientMessage incoming_;
};

void ControlChannel::Send(v1::BrokerMessage message) {
  absl::MutexLock lock(&mu_);
  if (closed_) return;
  queue_.Add(std::move(message));
  WriteNext();
}

void ControlChannel::ForgetArena(ArenaId arena) {
  absl::MutexLock lock(&mu_);
  queue_.ForgetArena(arena.value());
}

void ControlChannel::Continue() {
  absl::MutexLock lock(&mu_);
  ReadNext();
}

void ControlChannel::Close(grpc::Status status) {
  absl::MutexLock lock(&mu_);
  closed_ = true;
  queue_.Clear();
  FinishStream(std::move(status));
}

bool ControlChannel::Attach(Stream* stream) {
  absl::MutexLock lock(&mu_);
  if (closed_ || stream_ != nullptr) return false;
  stream_ = stream;
  finishing_ = false;
  writing_ = false;
  reading_ = false;
  queue_.StartAnew();
  ReadNext();
  WriteNext();
  return true;
}

void ControlChannel::Detach(Stream* stream) {
  absl::MutexLock lock(&mu_);
  if (stream_ == stream) stream_ = nullptr;
}

void ControlChannel::ReadNext() {
  if (stream_ == nullptr || finishing_ || std::exchange(reading_, true)) return;
  stream_->ReadNext();
}

void ControlChannel::WriteNext() {
  if (stream_ == nullptr || finishing_ || writing_) return;
  std::optional<v1::BrokerMessage> next = queue_.Take();
  if (!next.has_value()) return;
  being_written_ = *std::move(next);
  writing_ = true;
  stream_->StartWrite(&being_written_);
}

void ControlChannel::FinishStream(grpc::Status status) {
  if (stream_ == nullptr || std::exchange(finishing_, true)) return;
  stream_->Finish(std::move(status));
}

ControlService::ControlService() {
  grpc::ServerBuilder builder;
  builder.RegisterService(this);
  builder.SetMaxReceiveMessageSize(64 << 10);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 4);
  server_ = builder.BuildAndStart();
}

ControlService::~ControlService() { Shutdown(); }

void ControlService::Shutdown() {
  std::vector<Peer> peers;
  {
    absl::MutexLock lock(&mu_);
    for (auto& [name, peer] : peers_) peers.push_back(std::move(peer));
    peers_.clear();
  }
  // Not OK: what a client has sent last may never have been read.
  for (const Peer& peer : peers) {
    peer.channel->Close(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the broker is ending"));
  }
  if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
}

void ControlService::Serve(SessionId session, int fd, std::shared_ptr<ControlChannel> channel) {
  {
    absl::MutexLock lock(&mu_);
    peers_[absl::StrCat("fd:", fd)] = {.session = session, .channel = std::move(channel)};
  }
  grpc::AddInsecureChannelFromFd(server_.get(), fd);
}

void ControlService::Forget(SessionId session) {
  absl::MutexLock lock(&mu_);
  for (auto it = peers_.begin(); it != peers_.end();) {
    it = it->second.session == session ? peers_.erase(it) : std::next(it);
  }
}

Reactor* ControlService::Negotiate(grpc::CallbackServerContext* context) {
  uint64_t session = 0;
  const auto metadata = context->client_metadata().find(kSessionMetadata);
  if (metadata != context->client_metadata().end()) {
    const bool is_number =
        absl::SimpleAtoi(absl::string_view(metadata->second.data(), metadata->second.size()), &session);
    if (!is_number) session = 0;
  }
  std::shared_ptr<ControlChannel> channel;
  {
    absl::MutexLock lock(&mu_);
    const auto it = peers_.find(context->peer());
    if (it != peers_.end() && it->second.session == SessionId(session)) channel = it->second.channel;
  }
  if (channel == nullptr) {
    return new Refusal(grpc::Status(grpc::StatusCode::NOT_FOUND,
                                    absl::StrCat("no session ", session, " belongs to this connection (",
                                                 context->peer(), "): connect to the engine socket again")));
  }
  auto* stream = new ControlChannel::Stream(channel);
  if (!channel->Attach(stream)) {
    delete stream;
    return new Refusal(grpc::Status(grpc::StatusCode::ALREADY_EXISTS, "the session has a stream, or has ended"));
  }
  return stream;
}

}  // namespace kvbroker
