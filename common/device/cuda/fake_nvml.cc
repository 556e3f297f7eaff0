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
uint64_t coming_xids[8] = {};
unsigned int xids_left = 0;
int lost = kSuccess;

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

// Each is an error that the GPU had since the last look.
void FakeNvmlAddXid(unsigned long long xid) { coming_xids[xids_left++] = xid; }

// The GPU answers nothing but this.
void FakeNvmlAnswer(int result) { lost = result; }

int nvmlEventSetCreate(void** set) {
  *set = &xids_left;
  return kSuccess;
}

int nvmlEventSetFree(void*) { return kSuccess; }

int nvmlDeviceRegisterEvents(void* device, unsigned long long types, void* set) {
  constexpr unsigned long long kXids = 8;
  return device == &users && types == kXids && set == &xids_left ? kSuccess : kNotFound;
}

int nvmlEventSetWait_v2(void*, void* data, unsigned int) {
  constexpr int kTimeout = 10;
  if (xids_left == 0) return kTimeout;
  void* const device = &users;
  const uint64_t type_and_xid[] = {8, coming_xids[--xids_left]};
  std::memcpy(data, &device, sizeof(device));
  std::memcpy(static_cast<char*>(data) + 8, type_and_xid, sizeof(type_and_xid));
  return kSuccess;
}

const char* nvmlErrorString(int) { return "an error"; }

int nvmlDeviceGetHandleByUUID(const char* uuid, void** device) {
  if (std::strcmp(uuid, "GPU-8f14e45f-ceea-467d-9ab3-0123456789ab") != 0) return kNotFound;
  *device = &users;
  return kSuccess;
}

int nvmlDeviceGetMemoryInfo_v2(void* device, void* memory) {
  if (lost != kSuccess) return lost;
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
