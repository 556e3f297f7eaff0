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
  // Samples of `tenants`, at times since `zero`. UNAVAILABLE: nobody answers at the socket.
  static absl::StatusOr<std::unique_ptr<BrokerWatch>> Start(const std::string& admin_socket,
                                                            std::vector<std::string> tenants, absl::Duration interval,
                                                            MonotonicTime zero);
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
  BrokerWatch(std::vector<std::string> tenants, MonotonicTime zero) : tenants_(std::move(tenants)), zero_(zero) {}

  void Read();
  BrokerSample Convert(const admin::v1::Snapshot& snapshot) const;

  // Constant once started.
  const std::vector<std::string> tenants_;
  const MonotonicTime zero_;
  std::string device_name_;
  std::unique_ptr<admin::v1::Admin::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<admin::v1::Snapshot>> reader_;
  std::thread thread_;

  mutable absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<BrokerSample> samples_ ABSL_GUARDED_BY(mu_);
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_BROKER_WATCH_H_
