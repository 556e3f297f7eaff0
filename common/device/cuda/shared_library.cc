#include "common/device/cuda/shared_library.h"

#include <dlfcn.h>

#include "absl/strings/str_cat.h"

namespace kvbroker {
namespace {

std::string LastError() {
  const char* const error = dlerror();
  return error == nullptr ? "no reason given" : error;
}

}  // namespace

absl::StatusOr<SharedLibrary> SharedLibrary::Open(const std::string& name) {
  void* const handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return absl::NotFoundError(absl::StrCat("cannot load ", name, ": ", LastError()));
  return SharedLibrary(name, handle);
}

absl::StatusOr<void*> SharedLibrary::Find(const char* symbol) const {
  if (void* const address = dlsym(handle_, symbol); address != nullptr) return address;
  return absl::UnavailableError(absl::StrCat(name_, " has no ", symbol, ": ", LastError()));
}

}  // namespace kvbroker
