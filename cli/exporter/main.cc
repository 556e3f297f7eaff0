// kvbroker-exporter: the brokers of a node as metrics for Prometheus.
//
//   $ kvbroker-exporter --listen 127.0.0.1:9476 &
//   $ curl -s http://127.0.0.1:9476/metrics | grep granted
//   kvbroker_memory_granted_bytes{gpu="0",UUID="GPU-2f…"} 34359738368

#include <prometheus/exposer.h>
#include <prometheus/text_serializer.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/connect.h"
#include "cli/exporter/brokers.h"
#include "common/base/version.h"

namespace kvbroker::cli {
namespace {

// Serves until a signal ends it; returns the exit code.
int Serve(const std::string& listen, const std::shared_ptr<Brokers>& brokers) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // in the threads that the server starts, too
  try {
    prometheus::Exposer exposer(listen);
    exposer.RegisterCollectable(brokers);
    // The port that it is: where 0 was asked for, the kernel has chosen one.
    const std::string host = listen.substr(0, listen.rfind(':'));
    std::cerr << "kvbroker-exporter " << kVersion << " ready at http://" << host << ":"
              << exposer.GetListeningPorts().front() << "/metrics" << std::endl;
    int signal = 0;
    sigwait(&ends, &signal);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "kvbroker-exporter: cannot listen on " << listen << ": " << error.what() << "\n";
    return 1;
  }
}

int Main(int argc, char** argv) {
  CLI::App app("Shows the brokers of this node to Prometheus. Reads, and changes nothing.", "kvbroker-exporter");
  std::string listen = "127.0.0.1:9476";
  Where where;
  bool once = false;
  app.add_option("--listen", listen, "Where to serve /metrics; default 127.0.0.1:9476")->type_name("ADDRESS:PORT");
  app.add_option("--runtime-dir", where.runtime_dir, "Of the brokers; default $KVBROKER_RUNTIME_DIR or /run/kvbroker")
      ->type_name("DIR");
  app.add_flag("--once", once, "Write the metrics to standard output, and end");
  app.set_version_flag("--version", absl::StrCat("kvbroker-exporter ", kVersion));
  app.footer(
      "It asks the brokers' admin sockets: it runs as root, as the brokers' user, or in the group kvbroker.\n"
      "Exit codes: 0 ended by a signal, 1 cannot listen, 2 usage.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    std::cerr << "kvbroker-exporter: " << error.what() << " (see kvbroker-exporter --help)\n";
    return 2;
  }
  const auto brokers = std::make_shared<Brokers>(RuntimeDir(where));
  if (!once) return Serve(listen, brokers);
  std::cout << prometheus::TextSerializer().Serialize(brokers->Collect());
  return 0;
}

}  // namespace
}  // namespace kvbroker::cli

int main(int argc, char** argv) { return kvbroker::cli::Main(argc, argv); }
