#ifndef KVBROKER_BROKER_SERVER_ADMIN_SERVICE_H_
#define KVBROKER_BROKER_SERVER_ADMIN_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "broker/config/policy_store.h"
#include "broker/server/admin_door.h"
#include "broker/server/broker.h"
#include "broker/server/drain_mark.h"
#include "broker/server/event_loop.h"
#include "common/device/device.h"
#include "proto/admin.grpc.pb.h"

namespace kvbroker {

// The operators' service on admin.sock: converts, asks the broker on its loop, answers. Each call is of somebody who may make
// it (AdminDoor), and each that changes something leaves a line in the log: who, what, before and after. Thread-safe.
class AdminService : public admin::v1::Admin::Service {
 public:
  // Each keeps a thread: beyond so many, Watch, Events and Trim are refused, so that the other calls are always served.
  static constexpr int kMostWatchers = 16;

  // Where what operators set is kept.
  struct Kept {
    PolicyStore& policies;  // Not owned; must outlive this.
    DrainMark drain_mark;
  };

  // Serves on the socket at `path`. `broker` and `loop` are not owned and must outlive this.
  static absl::StatusOr<std::unique_ptr<AdminService>> Start(const std::string& path, Broker& broker, EventLoop& loop,
                                                             const DeviceInfo& device, const Kept& kept);
  // Ends what is being served, watches included.
  ~AdminService() override;

  grpc::Status GetStatus(grpc::ServerContext* context, const admin::v1::GetStatusRequest* request,
                         admin::v1::Status* response) override;
  grpc::Status ListTenants(grpc::ServerContext* context, const admin::v1::ListTenantsRequest* request,
                           admin::v1::ListTenantsResponse* response) override;
  grpc::Status ListSessions(grpc::ServerContext* context, const admin::v1::ListSessionsRequest* request,
                            admin::v1::ListSessionsResponse* response) override;
  grpc::Status SetTenant(grpc::ServerContext* context, const admin::v1::SetTenantRequest* request,
                         admin::v1::SetTenantResponse* response) override;
  grpc::Status DeleteTenant(grpc::ServerContext* context, const admin::v1::DeleteTenantRequest* request,
                            admin::v1::DeleteTenantResponse* response) override;
  grpc::Status Trim(grpc::ServerContext* context, const admin::v1::TrimRequest* request,
                    admin::v1::TrimResponse* response) override ABSL_LOCKS_EXCLUDED(mu_);
  grpc::Status Drain(grpc::ServerContext* context, const admin::v1::DrainRequest* request,
                     admin::v1::DrainResponse* response) override ABSL_LOCKS_EXCLUDED(change_mu_);
  grpc::Status Detach(grpc::ServerContext* context, const admin::v1::DetachRequest* request,
                      admin::v1::DetachResponse* response) override;
  grpc::Status ForgetSession(grpc::ServerContext* context, const admin::v1::ForgetSessionRequest* request,
                             admin::v1::ForgetSessionResponse* response) override;
  grpc::Status Simulate(grpc::ServerContext* context, const admin::v1::SimulateRequest* request,
                        admin::v1::SimulateResponse* response) override;
  grpc::Status Why(grpc::ServerContext* context, const admin::v1::WhyRequest* request,
                   admin::v1::WhyResponse* response) override;
  grpc::Status ListRooms(grpc::ServerContext* context, const admin::v1::ListRoomsRequest* request,
                         admin::v1::ListRoomsResponse* response) override;
  grpc::Status Events(grpc::ServerContext* context, const admin::v1::EventsRequest* request,
                      grpc::ServerWriter<admin::v1::EventBatch>* writer) override ABSL_LOCKS_EXCLUDED(mu_);
  grpc::Status Watch(grpc::ServerContext* context, const admin::v1::WatchRequest* request,
                     grpc::ServerWriter<admin::v1::Snapshot>* writer) override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  AdminService(std::unique_ptr<AdminDoor> door, Broker& broker, EventLoop& loop, const DeviceInfo& device,
               const Kept& kept);

  // --- admin_service_changes.cc: what operators change.
  // A call that changes something: `change` by somebody who may, and a line in the log: who, `what`, and what has become of it,
  // which `change` returns in words.
  grpc::Status Audited(const grpc::ServerContext& context, const std::string& what,
                       const std::function<absl::StatusOr<std::string>()>& change);
  // What was checked is kept on disk, and then made on the loop: what was answered is not forgotten. Returns the broker as it is
  // then; UNAVAILABLE: it could not be kept, or it is `kept` for the next broker, as this one is ending.
  absl::StatusOr<BrokerReport> KeepAndMake(const Arbiter::CheckedChange& checked, const std::function<void()>& make,
                                           absl::string_view kept) ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_);
  absl::StatusOr<std::string> Set(const admin::v1::SetTenantRequest& request, admin::v1::SetTenantResponse& response)
      ABSL_LOCKS_EXCLUDED(change_mu_);
  absl::StatusOr<std::string> Delete(const admin::v1::DeleteTenantRequest& request,
                                     admin::v1::DeleteTenantResponse& response) ABSL_LOCKS_EXCLUDED(change_mu_);
  absl::StatusOr<std::string> TrimTo(const admin::v1::TrimRequest& request, const grpc::ServerContext& context,
                                     admin::v1::TrimResponse& response) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<std::string> DetachNow() ABSL_LOCKS_EXCLUDED(change_mu_);

  // UNAVAILABLE: the broker is ending.
  absl::StatusOr<BrokerReport> Report();
  // One more who keeps a thread; RESOURCE_EXHAUSTED: there are too many. Leave() ends it.
  absl::Status Enter() ABSL_LOCKS_EXCLUDED(mu_);
  void Leave() ABSL_LOCKS_EXCLUDED(mu_);
  // Until `when`, or until the caller has left. UNAVAILABLE: the broker is ending.
  absl::Status WaitUntil(absl::Time when, const grpc::ServerContext& context) ABSL_LOCKS_EXCLUDED(mu_);
  void Fill(const BrokerReport& report, admin::v1::Status& status) const;

  const std::unique_ptr<AdminDoor> door_;
  Broker& broker_;   // Not owned; used on the loop alone.
  EventLoop& loop_;  // Not owned.
  const DeviceInfo device_;
  const absl::Time started_;

  absl::Mutex change_mu_;                              // one change that is kept at a time: checked, written, made
  PolicyStore& policies_ ABSL_GUARDED_BY(change_mu_);  // Not owned.
  const DrainMark drain_mark_ ABSL_GUARDED_BY(change_mu_);

  absl::Mutex mu_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  int watchers_ ABSL_GUARDED_BY(mu_) = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_ADMIN_SERVICE_H_
