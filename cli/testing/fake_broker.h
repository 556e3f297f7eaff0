#ifndef KVBROKER_CLI_TESTING_FAKE_BROKER_H_
#define KVBROKER_CLI_TESTING_FAKE_BROKER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "proto/admin.grpc.pb.h"

namespace kvbroker::cli {

// A folder of its own for a test, with a short path; removed at its end.
class TempDir {
 public:
  TempDir();
  ~TempDir();

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A broker of 20 GiB with the tenants batch (4.5 GiB, no limit) and chat (8 GiB, wants 10 GiB, limit 10 GiB), and three
// rooms: one ready, one waited for, one settled.
admin::v1::Status SampleStatus();
admin::v1::ListTenantsResponse SampleTenants();
admin::v1::ListSessionsResponse SampleSessions();
admin::v1::ListRoomsResponse SampleRooms();
admin::v1::SimulateResponse SampleSimulation();
admin::v1::WhyResponse SampleWhy();
admin::v1::Snapshot SampleSnapshot();
admin::v1::EventBatch SampleEvents();

// An admin service that answers with the samples above, on <runtime_dir>/<uuid>/admin/admin.sock. Thread-safe.
class FakeBroker : public admin::v1::Admin::Service {
 public:
  // What it does at the end of the samples.
  enum class ThenWatch { kWaits, kEnds, kIsGone };

  explicit FakeBroker(const std::string& runtime_dir, const std::string& uuid = "HOST-demo");
  ~FakeBroker() override;

  const std::string& socket() const { return socket_; }

  // What each call answers from now on, instead.
  void Fail(grpc::Status status) ABSL_LOCKS_EXCLUDED(mu_);
  // How many samples each watcher gets, 20 ms apart, and what then; a thousand unless told.
  void SendSamples(int samples, ThenWatch then) ABSL_LOCKS_EXCLUDED(mu_);

  // What was asked for so far.
  std::vector<admin::v1::SetTenantRequest> changes() ABSL_LOCKS_EXCLUDED(mu_);
  std::vector<admin::v1::SimulateRequest> simulations() ABSL_LOCKS_EXCLUDED(mu_);
  int watches() ABSL_LOCKS_EXCLUDED(mu_);

  grpc::Status GetStatus(grpc::ServerContext*, const admin::v1::GetStatusRequest*,
                         admin::v1::Status* response) override;
  grpc::Status ListTenants(grpc::ServerContext*, const admin::v1::ListTenantsRequest*,
                           admin::v1::ListTenantsResponse* response) override;
  grpc::Status ListSessions(grpc::ServerContext*, const admin::v1::ListSessionsRequest*,
                            admin::v1::ListSessionsResponse* response) override;
  grpc::Status SetTenant(grpc::ServerContext*, const admin::v1::SetTenantRequest* request,
                         admin::v1::SetTenantResponse* response) override;
  grpc::Status DeleteTenant(grpc::ServerContext*, const admin::v1::DeleteTenantRequest* request,
                            admin::v1::DeleteTenantResponse* response) override;
  grpc::Status Trim(grpc::ServerContext*, const admin::v1::TrimRequest* request,
                    admin::v1::TrimResponse* response) override;
  // After it, one session less at each call of ListSessions.
  grpc::Status Drain(grpc::ServerContext*, const admin::v1::DrainRequest* request,
                     admin::v1::DrainResponse* response) override ABSL_LOCKS_EXCLUDED(mu_);
  grpc::Status Detach(grpc::ServerContext*, const admin::v1::DetachRequest*, admin::v1::DetachResponse*) override;
  grpc::Status ForgetSession(grpc::ServerContext*, const admin::v1::ForgetSessionRequest*,
                             admin::v1::ForgetSessionResponse* response) override;
  grpc::Status Simulate(grpc::ServerContext*, const admin::v1::SimulateRequest* request,
                        admin::v1::SimulateResponse* response) override;
  grpc::Status Why(grpc::ServerContext*, const admin::v1::WhyRequest* request,
                   admin::v1::WhyResponse* response) override;
  grpc::Status ListRooms(grpc::ServerContext*, const admin::v1::ListRoomsRequest*,
                         admin::v1::ListRoomsResponse* response) override;
  // The samples; who follows waits then, until this ends.
  grpc::Status Events(grpc::ServerContext* context, const admin::v1::EventsRequest* request,
                      grpc::ServerWriter<admin::v1::EventBatch>* writer) override;
  grpc::Status Watch(grpc::ServerContext* context, const admin::v1::WatchRequest* request,
                     grpc::ServerWriter<admin::v1::Snapshot>* writer) override;

 private:
  grpc::Status Failure() ABSL_LOCKS_EXCLUDED(mu_);

  const std::string socket_;
  absl::Mutex mu_;
  grpc::Status failure_ ABSL_GUARDED_BY(mu_);
  int samples_ ABSL_GUARDED_BY(mu_) = 1000;
  ThenWatch then_ ABSL_GUARDED_BY(mu_) = ThenWatch::kWaits;
  std::vector<admin::v1::SetTenantRequest> changes_ ABSL_GUARDED_BY(mu_);
  std::vector<admin::v1::SimulateRequest> simulations_ ABSL_GUARDED_BY(mu_);
  std::optional<int> sessions_left_ ABSL_GUARDED_BY(mu_);  // while it is drained
  int watches_ ABSL_GUARDED_BY(mu_) = 0;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_TESTING_FAKE_BROKER_H_
