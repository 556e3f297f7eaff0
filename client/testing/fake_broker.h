#ifndef KVBROKER_CLIENT_TESTING_FAKE_BROKER_H_
#define KVBROKER_CLIENT_TESTING_FAKE_BROKER_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/unique_fd.h"
#include "common/device/host/host_device.h"
#include "proto/engine.grpc.pb.h"

namespace kvbroker {

// A broker for tests of the client: real sockets, a real stream and real extents of host memory, and no policy at all.
// It opens arenas, grants what is wanted at once, remembers all that it is told, and says what the test has it say. It
// serves one session at a time, the newest.
//
//   FakeBroker broker;
//   auto session = *Session::Open({.tenant = "a", .socket = broker.socket(), .device = &broker.device()});
//   broker.SayTarget(MiB(4));
//   EXPECT_TRUE(broker.Hears([](const v1::ClientMessage& heard) { return heard.has_released(); }));
//
// Thread-safe.
class FakeBroker : private v1::Engine::Service {
 public:
  FakeBroker();
  ~FakeBroker() override;

  std::string socket() const { return dir_ + "/engine.sock"; }
  Device& device() { return *device_; }

  // Whether wants are granted; they are. While they are not, what was granted already can be fetched.
  void set_grants(bool grants) ABSL_LOCKS_EXCLUDED(mu_);

  // Says something to the session, once its stream is there.
  void Say(const v1::BrokerMessage& message) ABSL_LOCKS_EXCLUDED(mu_);
  // A target with the next revision; `max` and the revision in `target` are filled in.
  void SayTarget(Bytes max, v1::Target target = {}) ABSL_LOCKS_EXCLUDED(mu_);

  // Breaks the connection, and answers no other one until Return().
  void Leave() ABSL_LOCKS_EXCLUDED(mu_);
  void Return() ABSL_LOCKS_EXCLUDED(mu_);

  // Whether it takes over what a client holds that comes back; it does. Else it is a broker of an earlier version.
  void set_resumes(bool resumes) ABSL_LOCKS_EXCLUDED(mu_);
  // What the newest client that came back said.
  v1::Resume resume() const ABSL_LOCKS_EXCLUDED(mu_);
  // The Hello of the newest session.
  v1::Hello hello() const ABSL_LOCKS_EXCLUDED(mu_);
  // What it has said on its stream since then, or since Forget(), in order.
  std::vector<v1::ClientMessage> heard() const ABSL_LOCKS_EXCLUDED(mu_);
  void Forget() ABSL_LOCKS_EXCLUDED(mu_);
  // The messages of heard() that `is` holds for.
  using Is = std::function<bool(const v1::ClientMessage&)>;
  std::vector<v1::ClientMessage> Heard(const Is& is) const ABSL_LOCKS_EXCLUDED(mu_);
  // Waits until at least `times` of them have come; false where they have not for 10 s.
  bool Hears(const Is& is, size_t times = 1) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using Stream = grpc::ServerReaderWriter<v1::BrokerMessage, v1::ClientMessage>;

  struct Lease {
    v1::ArenaSpec arena;
    uint64_t granted = 0;
    uint64_t sent = 0;
    uint64_t released = 0;
    uint64_t batch = 0;
  };

  grpc::Status Negotiate(grpc::ServerContext* context, Stream* stream) override;
  void Handle(const v1::ClientMessage& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SayLocked(const v1::BrokerMessage& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // The thread of the hand-over channel.
  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  void Accept() ABSL_LOCKS_EXCLUDED(mu_);
  // False: the connection has ended.
  bool HandlePacket() ABSL_LOCKS_EXCLUDED(mu_);
  void Welcome(const v1::Hello& hello) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Resume(const v1::Resume& resume) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SendBatch(const v1::Fetch& fetch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string dir_;
  const std::unique_ptr<HostDevice> device_;
  const UniqueFd stop_;
  UniqueFd listener_;

  mutable absl::Mutex mu_;
  bool grants_ ABSL_GUARDED_BY(mu_) = true;
  bool away_ ABSL_GUARDED_BY(mu_) = false;
  UniqueFd connection_ ABSL_GUARDED_BY(mu_);
  uint64_t session_ ABSL_GUARDED_BY(mu_) = 0;
  v1::Hello hello_ ABSL_GUARDED_BY(mu_);
  v1::Resume resume_ ABSL_GUARDED_BY(mu_);
  bool resumes_ ABSL_GUARDED_BY(mu_) = true;
  uint64_t target_revision_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<uint64_t, Lease> leases_ ABSL_GUARDED_BY(mu_);  // by number, which is the arena's plus 100
  std::vector<v1::ClientMessage> heard_ ABSL_GUARDED_BY(mu_);
  std::vector<v1::BrokerMessage> unsaid_ ABSL_GUARDED_BY(mu_);
  Stream* stream_ ABSL_GUARDED_BY(mu_) = nullptr;
  grpc::ServerContext* context_ ABSL_GUARDED_BY(mu_) = nullptr;

  std::unique_ptr<grpc::Server> server_;
  std::thread thread_;
};

}  // namespace kvbroker

#endif  // KVBROKER_CLIENT_TESTING_FAKE_BROKER_H_
