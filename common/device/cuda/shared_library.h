#ifndef KVBROKER_COMMON_DEVICE_CUDA_SHARED_LIBRARY_H_
#define KVBROKER_COMMON_DEVICE_CUDA_SHARED_LIBRARY_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kvbroker {

// A library of the driver, opened at run time so that one binary runs with and without a GPU. It stays loaded until the
// process ends: the driver keeps threads and exit handlers of its own in it. Thread-safe.
class SharedLibrary {
 public:
  // `name` is looked for as the dynamic linker does, or is a path. NOT_FOUND: it cannot be loaded, and why.
  static absl::StatusOr<SharedLibrary> Open(const std::string& name);

  // Sets `function` to the entry point `symbol`. UNAVAILABLE: the library does not have it, which an older driver's may
  // not. `Function` is the caller's word: nothing can check it.
  template <typename Function>
  absl::Status Resolve(const char* symbol, Function*& function) const {
    absl::StatusOr<void*> address = Find(symbol);
    if (!address.ok()) return std::move(address).status();
    function = reinterpret_cast<Function*>(*address);
    return absl::OkStatus();
  }

 private:
  SharedLibrary(std::string name, void* handle) : name_(std::move(name)), handle_(handle) {}

  absl::StatusOr<void*> Find(const char* symbol) const;

  std::string name_;
  void* handle_;
};

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_CUDA_SHARED_LIBRARY_H_
