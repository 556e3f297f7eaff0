#ifndef KVBROKER_CLIENT_CHANNEL_BROKER_CONNECTION_H_
#define KVBROKER_CLIENT_CHANNEL_BROKER_CONNECTION_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/unique_fd.h"
#include "proto/engine.grpc.pb.h"

namespace kvbroker {

// A batch of descriptors as it arrived.
struct Batch {
  v1::Handles handles;
  std::vector<UniqueFd> fds;
};

// Both channels to the broker, from Hello on: the hand-over channel (packets with descriptors), and the gRPC stream
// over the descriptor that came with Welcome.
//
// Send and Receive are the background thread's; Read is the reader's, at the same time; Cancel is anybody's.
class BrokerConnection {
 public:
  // Connects to the engine socket and says who we are: `first` is Hello or Resume. Blocks for `patience` at most.
  // NOT_FOUND, UNAVAILABLE: nobody is there. What the broker refuses comes as its own status.
  static absl::StatusOr<std::unique_ptr<BrokerConnection>> Open(const std::string& socket, const v1::ClientFrame& first,
                                                                absl::Duration patience = absl::Seconds(5));
  ~BrokerConnection();

  const v1::Welcome& welcome() const { return welcome_; }

  // --- Hand-over channel.

  // Readable when a batch has arrived, or the connection is closed.
  int hand_over_fd() const { return socket_.get(); }
  absl::Status Send(const v1::ClientFrame& frame);
  // Closes the hand-over channel for good; the control channel stays.
  void CloseHandOver();
  // A batch that has arrived; none where nothing has. UNAVAILABLE: closed; DATA_LOSS: descriptors were cut off.
  // A rejection comes as the broker's own status.
  absl::StatusOr<std::optional<Batch>> Receive();

  // --- Control channel.

  // False: the stream has ended.
  bool Send(const v1::ClientMessage& message) { return stream_->Write(message); }
  // Waits for the next message. False: the stream has ended.
  bool Read(v1::BrokerMessage& message) { return stream_->Read(&message); }
  // No more is to be sent; what was sent is delivered.
  void HalfClose() { stream_->WritesDone(); }
  // How the stream ended; OK: the broker has acted on all that was sent. The reader's, once, after Read has returned false.
  absl::Status End();
  // Ends the stream at once: Read and Send return false.
  void Cancel() { context_.TryCancel(); }

 private:
  BrokerConnection(UniqueFd socket, v1::Welcome welcome, int control_fd);

  UniqueFd socket_;
  const v1::Welcome welcome_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::Engine::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ClientMessage, v1::BrokerMessage>> stream_;
  bool has_end_ = false;
};

// The engine socket to connect to: of `device_uuid` under `runtime_dir`, or of the only device there.
// NOT_FOUND: says where it looked, and how to start a broker.
absl::StatusOr<std::string> FindEngineSocket(const std::string& runtime_dir, const std::string& device_uuid);

}  // namespace kvbroker

#endif  // KVBROKER_CLIENT_CHANNEL_BROKER_CONNECTION_H_
