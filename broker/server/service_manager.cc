#include "broker/server/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "broker/server/take_variable.h"
#include "common/base/clock.h"
#include "common/base/log.h"

namespace kvbroker {
namespace {

// Twice within the time that the watchdog gives, and once more.
constexpr int kFeedsPerWatchdog = 3;

}  // namespace

ServiceManager ServiceManager::FromEnvironment() {
  const std::string socket = TakeVariable("NOTIFY_SOCKET");
  const std::string microseconds = TakeVariable("WATCHDOG_USEC");
  const std::string of = TakeVariable("WATCHDOG_PID");
  int64_t each = 0;
  int64_t pid = 0;
  const bool is_ours = of.empty() || (absl::SimpleAtoi(of, &pid) && pid == getpid());
  const bool watches = is_ours && absl::SimpleAtoi(microseconds, &each) && each > 0;
  return ServiceManager(socket, watches && !socket.empty() ? std::optional(absl::Microseconds(each)) : std::nullopt);
}

ServiceManager::ServiceManager(std::string socket, std::optional<absl::Duration> watchdog)
    : socket_(std::move(socket)), watchdog_(watchdog) {
  if (!socket_.empty()) fd_.Reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

void ServiceManager::Ready(EventLoop& loop, std::function<std::string()> status) {
  status_ = std::move(status);
  Send(absl::StrCat("READY=1\nSTATUS=", status_()));
  if (watchdog_.has_value()) Feed(loop);
}

void ServiceManager::Reloading() {
  // systemd takes a READY that is older than this for one of before.
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t microseconds = int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  Send(absl::StrCat("RELOADING=1\nMONOTONIC_USEC=", microseconds));
}

void ServiceManager::Serving() { Send("READY=1"); }

void ServiceManager::Stopping() { Send("STOPPING=1"); }

void ServiceManager::Feed(EventLoop& loop) {
  Send(absl::StrCat("WATCHDOG=1\nSTATUS=", status_()));
  loop.At(MonotonicNow() + *watchdog_ / kFeedsPerWatchdog, [this, &loop] { Feed(loop); });
}

void ServiceManager::Send(absl::string_view message) const {
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  if (socket_.empty() || socket_.size() >= sizeof(address.sun_path)) return;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // an abstract one
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  if (sendto(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address), length) <
      0) {
    LogWarning("the service manager does not hear: ", std::strerror(errno));
  }
}

}  // namespace kvbroker
