#ifndef KVBROKER_TESTS_MODEL_EXPLORE_H_
#define KVBROKER_TESTS_MODEL_EXPLORE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/model/world.h"

namespace kvbroker::model {

struct Explored {
  uint64_t states = 0;       // that differ
  uint64_t transitions = 0;  // that were tried
  std::optional<std::string> wrong;
  std::vector<std::string> path;  // to it
};

// Tries all that can happen, in every order, with the broker killed between any two effects, until nothing new comes or
// something does not hold. `progress` is called now and then.
Explored Explore(const World::Options& options, const std::function<void(const Explored&)>& progress = nullptr);

}  // namespace kvbroker::model

#endif  // KVBROKER_TESTS_MODEL_EXPLORE_H_
