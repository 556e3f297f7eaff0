#include "cli/connect.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/status.h"
#include "common/base/unique_fd.h"

namespace kvbroker::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kEnding[] = "the broker is ending";            // what it says as its last
constexpr absl::string_view kNoAnswer = "Deadline Exceeded";  // gRPC's own words where the call's time is over
constexpr char kHowToStart[] = "start one with 'kvbrokerd --device host' or ./deploy/quickstart.sh";

// OK where somebody accepts connections at `path`.
absl::Status Probe(const std::string& path) {
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("a socket's path has at most ", sizeof(address.sun_path) - 1,
                                                   " bytes, this one has ", path.size(), ": ", path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoToStatus(errno, "socket");
  // EAGAIN: it listens, and is behind in accepting.
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 || errno == EAGAIN) {
    return absl::OkStatus();
  }
  const int error = errno;
  if (error == EACCES || error == EPERM) {
    return absl::PermissionDeniedError(
        absl::StrCat("you may not connect to ", path, ": try sudo, or join the group of its folder"));
  }
  if (error == ENOENT || error == ENOTDIR || error == ECONNREFUSED) {
    return absl::NotFoundError(
        absl::StrCat("no broker answers at ", path, " (", std::strerror(error), "): ", kHowToStart));
  }
  return ErrnoToStatus(error, absl::StrCat("connect ", path));
}

std::string AdminSocket(const fs::path& folder) { return folder / "admin" / "admin.sock"; }

// The folders in `root`, each once: a link to a folder that is there itself is left out. Sorted.
std::vector<fs::path> Folders(const std::string& root) {
  std::map<fs::path, fs::path> found;  // the real path, how it is reached
  std::error_code error;
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    const fs::path real = fs::canonical(it->path(), ignored);
    if (real.empty() || !fs::is_directory(real, ignored)) continue;
    fs::path& path = found[real];
    if (path.empty() || !it->is_symlink(ignored)) path = it->path();
  }
  std::vector<fs::path> folders;
  for (const auto& [real, path] : found) folders.push_back(path);
  return folders;
}

// A path as gRPC's address of it. A URI: what means something there is escaped.
std::string Address(const std::string& path) {
  std::string address = "unix:";
  for (const char c : path) {
    const bool plain = absl::ascii_isalnum(static_cast<unsigned char>(c)) || std::strchr("/._-~", c) != nullptr;
    if (plain) {
      address += c;
    } else {
      absl::StrAppendFormat(&address, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return address;
}

}  // namespace

std::string RuntimeDir(const Where& where) {
  if (where.runtime_dir.has_value()) return *where.runtime_dir;
  const char* variable = std::getenv("KVBROKER_RUNTIME_DIR");
  return variable != nullptr && *variable != '\0' ? variable : "/run/kvbroker";
}

absl::StatusOr<std::string> FindSocket(const Where& where) {
  if (where.socket.has_value()) {
    KVB_RETURN_IF_ERROR(Probe(*where.socket));
    return *where.socket;
  }
  const std::string root = RuntimeDir(where);
  std::vector<std::string> names;
  std::vector<std::string> sockets;
  absl::Status why = absl::NotFoundError(
      absl::StrCat("no broker runs in ", root, ": ", kHowToStart, ", or look elsewhere with --runtime-dir"));
  if (where.device.has_value()) {
    const std::string socket = AdminSocket(fs::path(root) / *where.device);
    const absl::Status probed = Probe(socket);
    if (probed.ok()) return socket;
    if (!absl::IsNotFound(probed)) return probed;
  }
  for (const fs::path& folder : Folders(root)) {
    const std::string socket = AdminSocket(folder);
    const absl::Status probed = Probe(socket);
    if (probed.ok()) {
      names.push_back(folder.filename());
      sockets.push_back(socket);
    } else if (!absl::IsNotFound(probed)) {
      why = probed;
    }
  }
  if (sockets.empty()) return why;
  const std::string list = absl::StrJoin(names, ", ");
  if (where.device.has_value()) {
    return absl::NotFoundError(
        absl::StrCat("no broker for device '", *where.device, "' runs in ", root, "; there are: ", list));
  }
  if (sockets.size() > 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("several brokers run in ", root, ": ", list, "; choose one with --device"));
  }
  return sockets.front();
}

std::vector<BrokerPlace> FindBrokers(const std::string& runtime_dir) {
  std::map<std::string, int> numbers;  // by the names of the folders
  std::map<std::string, BrokerPlace> places;
  std::error_code error;
  for (fs::directory_iterator it(runtime_dir, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    const std::string name = it->path().filename();
    int number = 0;
    if (it->is_symlink(ignored)) {
      if (absl::StartsWith(name, "gpu") && absl::SimpleAtoi(name.substr(3), &number)) {
        numbers.emplace(fs::read_symlink(it->path(), ignored).filename(), number);
      }
    } else if (fs::exists(it->path() / "epoch", ignored)) {
      places[name] = {.uuid = name, .socket = AdminSocket(it->path())};
    }
  }
  std::vector<BrokerPlace> found;
  for (auto& [name, place] : places) {
    if (const auto number = numbers.find(name); number != numbers.end()) place.number = number->second;
    found.push_back(std::move(place));
  }
  return found;
}

absl::StatusOr<Connection> Connection::Open(const Where& where, absl::Duration patience) {
  KVB_ASSIGN_OR_RETURN(const std::string socket, FindSocket(where));
  return Connection(
      socket, patience,
      admin::v1::Admin::NewStub(grpc::CreateChannel(Address(socket), grpc::InsecureChannelCredentials())));
}

void Connection::SetDeadline(grpc::ClientContext& context) const {
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMicroseconds(patience_));
}

absl::Status Connection::Explain(const grpc::Status& status) const {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      // One that is still there says itself what is not to be had.
      if (status.error_message() != kEnding && Probe(socket_).ok()) {
        return absl::UnavailableError(absl::StrReplaceAll(status.error_message(), {{"\n", " "}}));
      }
      return absl::UnavailableError(absl::StrCat("the broker at ", socket_, " has gone away"));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      if (status.error_message() != kNoAnswer) return absl::DeadlineExceededError(status.error_message());
      return absl::DeadlineExceededError(
          absl::StrCat("the broker at ", socket_, " does not answer within ", absl::FormatDuration(patience_)));
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::UnimplementedError(
          absl::StrCat("the broker at ", socket_, " does not know this command: it is of another version"));
    default:
      return {static_cast<absl::StatusCode>(status.error_code()),
              absl::StrReplaceAll(status.error_message(), {{"\n", " "}})};
  }
}

}  // namespace kvbroker::cli
