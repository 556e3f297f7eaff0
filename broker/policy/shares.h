#ifndef KVBROKER_BROKER_POLICY_SHARES_H_
#define KVBROKER_BROKER_POLICY_SHARES_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "broker/policy/situation.h"
#include "common/base/bytes.h"

namespace kvbroker {

// What each tenant should have, in the order of the situation's tenants.
//
// Who has idle bytes and wants more could use those instead: until it does, its wants are not worth more than what it holds,
// as far as it has idle bytes. So there are two bounds, and between them a tenant is left alone. Were there one, who gave
// back idle bytes that it still wants would be granted them again: given back they are wants, and cost a quarter of what
// they cost held.
struct Shares {
  std::vector<Bytes> entitled;  // nobody is asked to hold less
  std::vector<Bytes> owed;  // up to this others are asked for it, and it is granted before others get more than theirs
};

// `turn`: the tenant whose need comes first.
Shares ShareOut(const Situation& situation, std::optional<size_t> turn);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_SHARES_H_
