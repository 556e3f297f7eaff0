#ifndef KVBROKER_BROKER_SERVER_TAKE_VARIABLE_H_
#define KVBROKER_BROKER_SERVER_TAKE_VARIABLE_H_

#include <cstdlib>
#include <string>

namespace kvbroker {

// The environment's variable, "" where there is none; it is taken out of it, so that no child takes it for its own. Before
// there are other threads.
inline std::string TakeVariable(const char* name) {
  const char* value = std::getenv(name);
  std::string taken = value == nullptr ? "" : value;
  unsetenv(name);
  return taken;
}

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_TAKE_VARIABLE_H_
