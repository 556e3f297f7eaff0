#ifndef KVBROKER_CLI_CONNECT_H_
#define KVBROKER_CLI_CONNECT_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/admin.grpc.pb.h"

namespace kvbroker::cli {

// Which broker is meant, as the options say.
struct Where {
  std::optional<std::string> socket;       // of the admin service
  std::optional<std::string> runtime_dir;  // default: KVBROKER_RUNTIME_DIR, else /run/kvbroker
  std::optional<std::string> device;       // a folder of the runtime directory, or a link to one
};

// The runtime directory: the option, the environment, or the default.
std::string RuntimeDir(const Where& where);

// The admin socket of the broker that is meant. Where neither socket nor device is named, that of the one broker that
// accepts connections in the runtime directory.
// NOT_FOUND: none runs there. FAILED_PRECONDITION: several do; the message names their devices.
// PERMISSION_DENIED: the user may not connect. INVALID_ARGUMENT: a path too long for a socket.
absl::StatusOr<std::string> FindSocket(const Where& where);

// A broker that runs in a runtime directory, or did since the machine started.
struct BrokerPlace {
  std::string uuid;           // of its device: the name of its folder
  std::optional<int> number;  // of its device, where the runtime directory has a link gpu<number> to the folder
  std::string socket;         // of its admin service
};

// All of them, by UUID. Asks nobody.
std::vector<BrokerPlace> FindBrokers(const std::string& runtime_dir);

// A broker's admin service. Thread-compatible.
class Connection {
 public:
  // Errors as FindSocket's. `patience`: how long a call may take.
  static absl::StatusOr<Connection> Open(const Where& where, absl::Duration patience = absl::Seconds(5));

  admin::v1::Admin::Stub& stub() const { return *stub_; }

  // Calls a method of the stub.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(grpc::Status (admin::v1::Admin::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                              Response*),
                               const Request& request) const {
    grpc::ClientContext context;
    SetDeadline(context);
    Response response;
    const grpc::Status status = ((*stub_).*method)(&context, request, &response);
    if (!status.ok()) return Explain(status);
    return response;
  }

  // `status`, not OK, in one line for people. What the broker itself says is kept as it is.
  absl::Status Explain(const grpc::Status& status) const;

  // From now on, as long as a call may take.
  void SetDeadline(grpc::ClientContext& context) const;

  const std::string& socket() const { return socket_; }

 private:
  Connection(std::string socket, absl::Duration patience, std::unique_ptr<admin::v1::Admin::Stub> stub)
      : socket_(std::move(socket)), patience_(patience), stub_(std::move(stub)) {}

  std::string socket_;
  absl::Duration patience_;
  std::unique_ptr<admin::v1::Admin::Stub> stub_;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_CONNECT_H_
