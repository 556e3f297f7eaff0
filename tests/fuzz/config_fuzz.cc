// What an operator writes: the configuration file.

#include <cstddef>
#include <cstdint>
#include <string>

#include "broker/config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kvbroker;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<BrokerConfig> config = ParseConfig(text, "broker.textproto");
  if (!config.ok()) return 0;
  config->TenantPolicies(GiB(80)).status().IgnoreError();
  config->OtherTenants(GiB(80));
  return 0;
}
