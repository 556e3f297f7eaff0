#ifndef KVBROKER_TESTS_REPLAY_BROKER_WATCH_H_
#define KVBROKER_TESTS_REPLAY_BROKER_WATCH_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/admin.grpc.pb.h"
#include "tests/replay/monotonic.h"
#include "tests/replay/report.h"

namespace kvbroker::replay {

// Takes samples of who holds what from a broker's admin service, in a thread of its own, from Start to Stop.
// Thread-safe.
class BrokerWatch {
 public:
  struct Options {
    std::string admin_socket;
    std::vector<std::string> tenants;
    absl::Duration interval;
    MonotonicTime zero;     // times are since then
    bool restarts = false;  // the broker may end, and another one come
  };
  // UNAVAILABLE: nobody answers at the socket.
  static absl::StatusOr<std::unique_ptr<BrokerWatch>> Start(Options options);
  ~BrokerWatch() { Stop(); }

  std::optional<BrokerSample> latest() const ABSL_LOCKS_EXCLUDED(mu_);

  // Ends the thread; does nothing when repeated.
  void Stop();

  // The device's, as the broker calls it.
  const std::string& device_name() const { return device_name_; }

  // REQUIRES: stopped.
  std::vector<BrokerSample> TakeSamples() ABSL_LOCKS_EXCLUDED(mu_);
  // Why the samples ended before Stop; OK where they did not.
  absl::Status status() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  explicit BrokerWatch(Options options) : options_(std::move(options)) {}

  // The broker's first snapshot; the others are read from then on. CANCELLED: it is being stopped.
  absl::StatusOr<admin::v1::Snapshot> Open() ABSL_LOCKS_EXCLUDED(mu_);
  void Read();
  // Waits a moment for the next broker. False: there is to be none, or this is being stopped.
  bool AwaitsAnother(const absl::Status& ended) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status ReadToTheEnd() ABSL_LOCKS_EXCLUDED(mu_);
  void Add(const admin::v1::Snapshot& snapshot) ABSL_LOCKS_EXCLUDED(mu_);
  BrokerSample Convert(const admin::v1::Snapshot& snapshot) const;

  const Options options_;
  std::string device_name_;                                          // constant once started
  std::unique_ptr<admin::v1::Admin::Stub> stub_;                     // the same
  std::unique_ptr<grpc::ClientReader<admin::v1::Snapshot>> reader_;  // the thread's
  std::thread thread_;

  mutable absl::Mutex mu_;
  std::unique_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mu_);  // the reader's
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<BrokerSample> samples_ ABSL_GUARDED_BY(mu_);
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_BROKER_WATCH_H_
