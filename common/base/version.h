#ifndef KVBROKER_COMMON_BASE_VERSION_H_
#define KVBROKER_COMMON_BASE_VERSION_H_

namespace kvbroker {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_BASE_VERSION_H_
