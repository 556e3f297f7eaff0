#ifndef KVBROKER_CLIENT_CAPI_SIZED_STRUCT_H_
#define KVBROKER_CLIENT_CAPI_SIZED_STRUCT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

// Structs of the C API start with `uint32_t size`, the size that their owner was compiled with, and have grown at their
// end alone. These two functions are where versions meet: their owner may be older (smaller) or newer (larger) than we.
namespace kvbroker {

// The most that a size may say: no struct comes near it, and a size that was never set mostly does not pass.
inline constexpr uint32_t kLargestStruct = 4096;

// Where the struct's owner keeps it, and `name` for people. `oldest` is the size of the struct's first version.
// INVALID_ARGUMENT: NULL, or a size that no version has.
template <typename T>
absl::StatusOr<uint32_t> CheckedSize(const T* theirs, uint32_t oldest, const char* name) {
  static_assert(std::is_standard_layout_v<T> && std::is_trivially_copyable_v<T>);
  static_assert(offsetof(T, size) == 0 && sizeof(T) <= kLargestStruct);
  if (theirs == nullptr) return absl::InvalidArgumentError(absl::StrCat(name, " is NULL"));
  uint32_t size;
  std::memcpy(&size, theirs, sizeof(size));
  if (size < oldest || size > kLargestStruct) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ".size is ", size, ": set it to sizeof the struct, which is ", sizeof(T), " here"));
  }
  return size;
}

// A copy in our version: fields that the owner does not know are zero. INVALID_ARGUMENT: see CheckedSize; or the owner
// has set a field that we do not know.
template <typename T>
absl::StatusOr<T> ReadStruct(const T* theirs, uint32_t oldest, const char* name) {
  const absl::StatusOr<uint32_t> size = CheckedSize(theirs, oldest, name);
  if (!size.ok()) return size.status();
  const auto* const bytes = reinterpret_cast<const unsigned char*>(theirs);
  for (size_t i = sizeof(T); i < *size; ++i) {
    if (bytes[i] != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, " sets a field at byte ", i, " that this library is too old for: it knows ", sizeof(T), " bytes"));
    }
  }
  T ours = {};
  std::memcpy(static_cast<void*>(&ours), bytes, std::min<size_t>(*size, sizeof(T)));
  return ours;
}

// Fills in as much of `theirs` as there is, and zeroes what we do not know; its size stays. INVALID_ARGUMENT: see
// CheckedSize.
template <typename T>
absl::Status WriteStruct(T ours, T* theirs, uint32_t oldest, const char* name) {
  const absl::StatusOr<uint32_t> size = CheckedSize(theirs, oldest, name);
  if (!size.ok()) return size.status();
  ours.size = *size;
  auto* const bytes = reinterpret_cast<unsigned char*>(theirs);
  std::memcpy(bytes, &ours, std::min<size_t>(*size, sizeof(T)));
  if (*size > sizeof(T)) std::memset(bytes + sizeof(T), 0, *size - sizeof(T));
  return absl::OkStatus();
}

}  // namespace kvbroker

#endif  // KVBROKER_CLIENT_CAPI_SIZED_STRUCT_H_
