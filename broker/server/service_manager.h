#ifndef KVBROKER_BROKER_SERVER_SERVICE_MANAGER_H_
#define KVBROKER_BROKER_SERVER_SERVICE_MANAGER_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "broker/server/event_loop.h"
#include "common/base/unique_fd.h"

namespace kvbroker {

// What systemd is told of the broker, by the protocol of sd_notify(3): that it is ready, what it does, that it lives. Where
// nobody asked for that, nothing is sent. (libsystemd is a shared library alone, and the broker carries its libraries in itself;
// the protocol is a promise of systemd's, made to be written anew.)
//
// Thread-bound to the loop's thread.
class ServiceManager {
 public:
  // As the environment says: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID. They are taken out of it: no child speaks for us.
  static ServiceManager FromEnvironment();

  // The broker serves. `status` says in a line what it does; it is asked anew as often as the watchdog is fed. From the
  // loop, whose thread is the arbiter's: one that hangs feeds nobody. `loop` is not owned, and must not run on after this.
  void Ready(EventLoop& loop, std::function<std::string()> status);
  // It reads its configuration anew, until it is Serving() again.
  void Reloading();
  void Serving();
  // It is about to end.
  void Stopping();

  // Within so long it has to be fed; none: there is no watchdog.
  std::optional<absl::Duration> watchdog() const { return watchdog_; }

 private:
  ServiceManager(std::string socket, std::optional<absl::Duration> watchdog);

  void Feed(EventLoop& loop);
  void Send(absl::string_view message) const;

  std::string socket_;  // empty: nobody listens
  UniqueFd fd_;
  std::optional<absl::Duration> watchdog_;
  std::function<std::string()> status_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_SERVICE_MANAGER_H_
