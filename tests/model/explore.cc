#include "tests/model/explore.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"

namespace kvbroker::model {
namespace {

constexpr uint64_t kProgressEvery = 10000;  // states

// How a state was reached.
struct Step {
  std::shared_ptr<const Step> before;
  World::Action action;
};

class Explorer {
 public:
  Explored Run(const World::Options& options, const std::function<void(const Explored&)>& progress) {
    Visit(World(options), nullptr);
    while (!open_.empty() && !explored_.wrong.has_value()) {
      const auto [world, step] = std::move(open_.back());
      open_.pop_back();
      if (progress != nullptr && explored_.states % kProgressEvery == 0) progress(explored_);
      for (World::Action action : world->Possible()) {
        const size_t effects = Try(*world, step, action);
        if (!world->may_crash()) continue;
        for (size_t k = 0; k < effects; ++k) {
          action.killed_after = k;
          Try(*world, step, action);
        }
      }
    }
    return std::move(explored_);
  }

 private:
  // How many effects it had.
  size_t Try(const World& from, const std::shared_ptr<const Step>& step, const World::Action& action) {
    World world(from);
    const size_t effects = world.Do(action);
    ++explored_.transitions;
    Visit(std::move(world), std::make_shared<const Step>(Step{step, action}));
    return effects;
  }

  void Visit(World world, std::shared_ptr<const Step> step) {
    const std::string key = world.Key();
    // 128 bits: two different states are taken for one with a chance of one in 10^26 for a million.
    if (!seen_.insert({absl::HashOf(key), std::hash<std::string>()(key)}).second) return;
    ++explored_.states;
    std::optional<std::string> wrong = world.Wrong();
    if (!wrong.has_value()) wrong = world.RecoveryChanges();
    if (!wrong.has_value()) wrong = world.WrongInTheEnd();
    if (wrong.has_value() && !explored_.wrong.has_value()) {
      explored_.wrong = wrong;
      for (const Step* s = step.get(); s != nullptr; s = s->before.get()) explored_.path.push_back(ToString(s->action));
      std::reverse(explored_.path.begin(), explored_.path.end());
    }
    open_.push_back({std::make_unique<const World>(std::move(world)), std::move(step)});
  }

  absl::flat_hash_set<std::pair<size_t, size_t>> seen_;
  std::vector<std::pair<std::unique_ptr<const World>, std::shared_ptr<const Step>>> open_;
  Explored explored_;
};

}  // namespace

Explored Explore(const World::Options& options, const std::function<void(const Explored&)>& progress) {
  return Explorer().Run(options, progress);
}

}  // namespace kvbroker::model
