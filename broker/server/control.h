#ifndef KVBROKER_BROKER_SERVER_CONTROL_H_
#define KVBROKER_BROKER_SERVER_CONTROL_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "broker/server/outgoing_queue.h"
#include "common/base/ids.h"
#include "proto/engine.grpc.pb.h"

namespace kvbroker {

// What the broker has to say to one session, and the stream that carries it once the client has opened one. A stream
// that is opened anew hears all levels as they are by then. What waits for a slow reader is bounded: see OutgoingQueue.
//
// Thread-safe.
class ControlChannel {
 public:
  // Called with each of the client's messages, on a thread of gRPC's, one at a time: the next is read after Continue().
  using OnMessage = std::function<void(v1::ClientMessage)>;

  explicit ControlChannel(OnMessage on_message) : on_message_(std::move(on_message)) {}

  void Send(v1::BrokerMessage message) ABSL_LOCKS_EXCLUDED(mu_);
  // The client has closed the arena: a stream that is opened anew does not hear of it.
  void ForgetArena(ArenaId arena) ABSL_LOCKS_EXCLUDED(mu_);
  // The message is dealt with: the next may come.
  void Continue() ABSL_LOCKS_EXCLUDED(mu_);
  // Ends the stream; what is sent from now on is dropped.
  void Close(grpc::Status status = grpc::Status::OK) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  friend class ControlService;
  class Stream;

  // False: there is a stream already, or the channel is closed.
  bool Attach(Stream* stream) ABSL_LOCKS_EXCLUDED(mu_);
  void Detach(Stream* stream) ABSL_LOCKS_EXCLUDED(mu_);
  void ReadNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FinishStream(grpc::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const OnMessage on_message_;

  absl::Mutex mu_;
  Stream* stream_ ABSL_GUARDED_BY(mu_) = nullptr;  // Owns itself; detaches before it ends.
  bool finishing_ ABSL_GUARDED_BY(mu_) = false;    // the stream's Finish() was called
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  v1::BrokerMessage being_written_ ABSL_GUARDED_BY(mu_);
  OutgoingQueue queue_ ABSL_GUARDED_BY(mu_);
};

// The gRPC service of engines, on one server for all sessions. A stream belongs to the session on whose passed
// descriptor it comes in: gRPC names the peer after that descriptor, and the descriptor is the kernel-checked client's.
// The session's number in the call's metadata guards against a descriptor's number being used again.
//
// Thread-safe.
class ControlService : public v1::Engine::CallbackService {
 public:
  ControlService();
  ~ControlService() override;

  // Serves `channel` for what comes in over `fd`, one end of a connected stream socket; gRPC owns it from here on.
  void Serve(SessionId session, int fd, std::shared_ptr<ControlChannel> channel) ABSL_LOCKS_EXCLUDED(mu_);
  void Forget(SessionId session) ABSL_LOCKS_EXCLUDED(mu_);

  // Ends all streams. Serve() is not called afterwards.
  void Shutdown();

  grpc::ServerBidiReactor<v1::ClientMessage, v1::BrokerMessage>* Negotiate(
      grpc::CallbackServerContext* context) override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Peer {
    SessionId session;
    std::shared_ptr<ControlChannel> channel;
  };

  absl::Mutex mu_;
  std::map<std::string, Peer> peers_ ABSL_GUARDED_BY(mu_);  // by gRPC's name of the peer
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_CONTROL_H_
