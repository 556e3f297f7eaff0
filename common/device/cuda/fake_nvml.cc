// A libnvidia-ml of one GPU for nvml_test: 80 GiB, of which 1 GiB is the driver's, and 40 processes, the last of them
// pid 4242 with 3 GiB. It knows nothing of nvml.{h,cc}: what it checks is what the real one does.

#include <cstdint>
#include <cstring>

namespace {

constexpr int kSuccess = 0;
constexpr int kUninitialized = 1;
constexpr int kNotFound = 6;
constexpr int kInsufficientSize = 7;
constexpr int kArgumentVersionMismatch = 25;
constexpr uint64_t kGiB = uint64_t{1} << 30;
constexpr unsigned int kProcesses = 40;

int users = 0;

}  // namespace

extern "C" {

int nvmlInit_v2() {
  ++users;
  return kSuccess;
}

int nvmlShutdown() {
  if (users == 0) return kUninitialized;
  --users;
  return kSuccess;
}

int FakeNvmlUsers() { return users; }

const char* nvmlErrorString(int) { return "an error"; }

int nvmlDeviceGetHandleByUUID(const char* uuid, void** device) {
  if (std::strcmp(uuid, "GPU-8f14e45f-ceea-467d-9ab3-0123456789ab") != 0) return kNotFound;
  *device = &users;
  return kSuccess;
}

int nvmlDeviceGetMemoryInfo_v2(void* device, void* memory) {
  constexpr uint32_t kVersion2 = 0x02000028;
  uint32_t version;
  std::memcpy(&version, memory, sizeof(version));
  if (device != &users || version != kVersion2) return kArgumentVersionMismatch;
  const uint64_t total_reserved_free_used[] = {80 * kGiB, 1 * kGiB, 49 * kGiB, 30 * kGiB};
  std::memcpy(static_cast<char*>(memory) + 8, total_reserved_free_used, sizeof(total_reserved_free_used));
  return kSuccess;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void*, unsigned int* count, void* processes) {
  const unsigned int room = *count;
  *count = kProcesses;
  if (room < kProcesses) return kInsufficientSize;
  for (unsigned int i = 0; i < kProcesses; ++i) {
    const bool last = i + 1 == kProcesses;
    const uint32_t pid = last ? 4242 : 100 + i;
    const uint64_t used = last ? 3 * kGiB : i == 0 ? ~uint64_t{0} : kGiB;
    char* const process = static_cast<char*>(processes) + 24 * i;
    std::memcpy(process, &pid, sizeof(pid));
    std::memcpy(process + 8, &used, sizeof(used));
  }
  return kSuccess;
}

}  // extern "C"
