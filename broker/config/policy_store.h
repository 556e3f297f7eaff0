#ifndef KVBROKER_BROKER_CONFIG_POLICY_STORE_H_
#define KVBROKER_BROKER_CONFIG_POLICY_STORE_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/policy/tenant_policy.h"

namespace kvbroker {

// What operators set at run time, kept in a file over a restart of the broker and of the machine. The file is always
// a whole one: the one before, or the newest. Not checked here: whether all that is assured fits the capacity.
// Thread-compatible; knows no other process: one broker owns the file.
//
//   KVB_ASSIGN_OR_RETURN(PolicyStore store, PolicyStore::Open("/var/lib/kvbroker/GPU-…/policy.textproto"));
//   std::map<std::string, TenantPolicy> tenants = store.tenants();
//   tenants["chat"].weight = 200;
//   KVB_RETURN_IF_ERROR(store.Save(tenants, store.revision() + 1));  // and only then the operator is told
class PolicyStore {
 public:
  // Reads the file; where there is none the store is empty, with revision 0. DATA_LOSS: it is damaged; names the file
  // and what is wrong there. UNAVAILABLE: it cannot be read. In both cases promises would be forgotten without it.
  static absl::StatusOr<PolicyStore> Open(const std::string& path);

  const std::map<std::string, TenantPolicy>& tenants() const { return tenants_; }
  uint64_t revision() const { return revision_; }

  // Replaces the file, and its folder where there is none; both are on the disk when it returns. Blocks for as long as
  // the disk takes. UNAVAILABLE names the path and changes nothing, with one exception: where it says that the folder
  // could not be synced, the file is the new one until the machine loses power, and may be the old one then.
  // REQUIRES: CheckTenantPolicy of each is OK, revision is not 0.
  absl::Status Save(std::map<std::string, TenantPolicy> tenants, uint64_t revision);

 private:
  PolicyStore(std::string path, std::map<std::string, TenantPolicy> tenants, uint64_t revision)
      : path_(std::move(path)), tenants_(std::move(tenants)), revision_(revision) {}

  std::string path_;
  std::map<std::string, TenantPolicy> tenants_;  // as the file has them
  uint64_t revision_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CONFIG_POLICY_STORE_H_
