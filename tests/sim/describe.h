#ifndef KVBROKER_TESTS_SIM_DESCRIBE_H_
#define KVBROKER_TESTS_SIM_DESCRIBE_H_

#include <string>

#include "broker/core/effect.h"
#include "broker/core/event.h"

namespace kvbroker::sim {

// One line for people, to follow a schedule by.
std::string Describe(const Event& event);
std::string Describe(const Effect& effect);

}  // namespace kvbroker::sim

#endif  // KVBROKER_TESTS_SIM_DESCRIBE_H_
