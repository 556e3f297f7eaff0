#ifndef KVBROKER_BROKER_POLICY_TESTING_SNAPSHOT_BUILDER_H_
#define KVBROKER_BROKER_POLICY_TESTING_SNAPSHOT_BUILDER_H_

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "broker/policy/policy.h"
#include "common/base/bytes.h"

namespace kvbroker {

// One session with one lease, of a tenant that is made when it is first named.
struct SessionSpec {
  std::string tenant;
  TenantPolicy policy;  // of the tenant; its first session's counts
  Bytes floor;          // the same
  Bytes slot = MiB(64);
  Bytes held;      // in whole slots
  Bytes wanted;    // in whole slots
  Bytes returned;  // beside what is held
  uint64_t min_useful = 0;
  absl::Duration waiting;  // of the want, if it is not met; who is named first waits longest all the same
  Holding holding;
  absl::Duration response = absl::ZeroDuration();
  Bytes protected_bytes;
  std::optional<Bytes> target;
  bool reported = true;
  bool missed_target = false;
  Bytes trimmable;
  Bytes trim_asked;
  absl::Duration trim_asked_for = absl::InfiniteDuration();
};

// Snapshots for tests: what is available is what the capacity leaves. Ids count from 1.
class SnapshotBuilder {
 public:
  explicit SnapshotBuilder(Bytes capacity) { snapshot_.capacity = capacity; }

  SnapshotBuilder& Add(const SessionSpec& spec);
  // Held by sessions of the tenant that are not active.
  SnapshotBuilder& AddImmovable(const std::string& tenant, Bytes bytes);
  SnapshotBuilder& RoomShort(Bytes bytes);
  SnapshotBuilder& Growable(Bytes bytes);
  SnapshotBuilder& Turn(const std::string& tenant, absl::Duration age);
  SnapshotBuilder& TrimsAwaited(absl::Duration age);
  PolicySnapshot Build() const;

 private:
  size_t Find(const std::string& tenant);

  PolicySnapshot snapshot_;
};

// A number for a name, or of a snapshot's tenant in a plan.
size_t TenantIndex(const PolicySnapshot& snapshot, const std::string& name);

// The bytes that a plan grants to a tenant.
Bytes GrantedTo(const PolicySnapshot& snapshot, const PolicyPlan& plan, const std::string& tenant);

// The snapshot once its plan has been carried out as far as the broker goes: targets and trims are told, grants given.
PolicySnapshot CarriedOut(const PolicySnapshot& snapshot, const PolicyPlan& plan);

// The snapshot once each session holds no more than its target and has let go of what it was asked to, and it is credited;
// later, so that nothing is protected any more, and all that it holds is reported as in use.
PolicySnapshot Obeyed(PolicySnapshot snapshot);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_TESTING_SNAPSHOT_BUILDER_H_
