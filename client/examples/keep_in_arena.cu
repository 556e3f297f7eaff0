// Keeps data in memory that grows and shrinks under a running program, at addresses that stay the same: a kernel writes
// a pattern into some slots, the arena grows, and a second kernel that was given the same base address finds the old
// and the new slots as they should be. Then the slots go back, those that are kept untouched.
//
//   $ nvcc -std=c++20 -arch=native -o keep_in_arena keep_in_arena.cu -lkvbroker
//   $ export KVBROKER_RUNTIME_DIR=/tmp/kvb
//   $ kvbrokerd --device cuda:0 --capacity 2GiB &
//   $ ./keep_in_arena
//   512 MiB of addresses on GPU-…, backed so far: 0 MiB
//   4 slots written while 12 more were added: 128 MiB are backed
//   16 slots hold what was written to them
//   12 slots given back: 32 MiB are backed, and still hold what was written to them
//
// With another prefix than /usr/local: -I$PREFIX/include -L$PREFIX/lib -Xlinker -rpath=$PREFIX/lib.

#include <cuda_runtime.h>
#include <kvbroker.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kSlotBytes = 8 * kMiB;
constexpr uint64_t kSlots = 64;  // what could ever be needed: addresses cost nothing
constexpr uint64_t kFirst = 4;
constexpr uint64_t kMost = 16;
constexpr int kBlocks = 256;
constexpr int kThreads = 256;

void Check(kvb_status status, const char* what) {
  if (status == KVB_OK) return;
  std::fprintf(stderr, "%s: %s (%s)\n", what, kvb_last_error(), kvb_strerror(status));
  std::exit(1);
}

void Check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
  std::exit(1);
}

// What belongs at word `i` of a slot: different in each word of the arena.
__device__ uint64_t Pattern(uint64_t slot, uint64_t i) { return (slot << 32 | i) * 0x9e3779b97f4a7c15; }

// Word i of slot s is at base + s * pitch + i: no table of pointers is needed, and none has to follow when slots come
// and go.
__global__ void Write(uint64_t* base, const uint64_t* slots, uint64_t count) {
  constexpr uint64_t kWords = kSlotBytes / sizeof(uint64_t);
  for (uint64_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count * kWords; i += gridDim.x * blockDim.x) {
    const uint64_t slot = slots[i / kWords];
    base[slot * kWords + i % kWords] = Pattern(slot, i % kWords);
  }
}

__global__ void CountWrong(const uint64_t* base, const uint64_t* slots, uint64_t count, unsigned long long* wrong) {
  constexpr uint64_t kWords = kSlotBytes / sizeof(uint64_t);
  for (uint64_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count * kWords; i += gridDim.x * blockDim.x) {
    const uint64_t slot = slots[i / kWords];
    if (base[slot * kWords + i % kWords] != Pattern(slot, i % kWords)) atomicAdd(wrong, 1ull);
  }
}

// As nvidia-smi writes it. A broker is found by this, never by an index: indexes differ between processes.
std::string UuidOfDevice(int device) {
  cudaDeviceProp properties;
  Check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  std::string uuid = "GPU-";
  for (int i = 0; i < 16; ++i) {
    char hex[3];
    std::snprintf(hex, sizeof(hex), "%02x", static_cast<unsigned char>(properties.uuid.bytes[i]));
    if (i == 4 || i == 6 || i == 8 || i == 10) uuid += '-';
    uuid += hex;
  }
  return uuid;
}

uint64_t Backed(const kvb_arena* arena) {
  struct kvb_arena_stats stats = {.size = sizeof(stats)};
  Check(kvb_arena_stats(arena, &stats), "kvb_arena_stats");
  return stats.mapped;
}

uint64_t BackedMiB(const kvb_arena* arena) { return Backed(arena) * kSlotBytes / kMiB; }

// The slots that a kernel is to work on, where it can read them.
class Slots {
 public:
  explicit Slots(uint64_t most) { Check(cudaMalloc(&on_device_, most * sizeof(uint64_t)), "cudaMalloc"); }
  ~Slots() { cudaFree(on_device_); }
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  const uint64_t* Upload(const std::vector<uint64_t>& slots, cudaStream_t stream) {
    Check(cudaMemcpyAsync(on_device_, slots.data(), slots.size() * sizeof(uint64_t), cudaMemcpyHostToDevice, stream),
          "cudaMemcpyAsync");
    return on_device_;
  }

 private:
  uint64_t* on_device_ = nullptr;
};

// Takes `count` slots, waiting for them where they are not ready yet.
std::vector<uint64_t> Take(kvb_arena* arena, uint64_t count) {
  std::vector<uint64_t> slots(count);
  uint64_t taken = 0;
  Check(kvb_arena_wait(arena, count, 10 * KVB_SECOND), "kvb_arena_wait");
  Check(kvb_arena_take_many(arena, slots.data(), count, &taken), "kvb_arena_take_many");
  slots.resize(taken);
  return slots;
}

void ExpectIntact(const uint64_t* base, const std::vector<uint64_t>& slots, Slots& upload, cudaStream_t stream) {
  unsigned long long wrong = 0;
  unsigned long long* wrong_on_device;
  Check(cudaMalloc(&wrong_on_device, sizeof(wrong)), "cudaMalloc");
  Check(cudaMemsetAsync(wrong_on_device, 0, sizeof(wrong), stream), "cudaMemsetAsync");
  CountWrong<<<kBlocks, kThreads, 0, stream>>>(base, upload.Upload(slots, stream), slots.size(), wrong_on_device);
  Check(cudaGetLastError(), "CountWrong");
  Check(cudaMemcpyAsync(&wrong, wrong_on_device, sizeof(wrong), cudaMemcpyDeviceToHost, stream), "cudaMemcpyAsync");
  Check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  Check(cudaFree(wrong_on_device), "cudaFree");
  if (wrong != 0) {
    std::fprintf(stderr, "%llu words are not what was written\n", wrong);
    std::exit(1);
  }
}

void Run() {
  const std::string uuid = UuidOfDevice(0);
  // The library maps in the context that is current where the session is opened: here the device's primary one, which
  // the runtime API and frameworks use.
  Check(cudaSetDevice(0), "cudaSetDevice");
  cudaStream_t stream;
  Check(cudaStreamCreate(&stream), "cudaStreamCreate");

  const kvb_session_config session_config = {
      .size = sizeof(session_config), .tenant = "example", .engine = "keep_in_arena", .device_uuid = uuid.c_str()};
  kvb_session* session;
  Check(kvb_session_open(&session_config, &session), "kvb_session_open");
  const uint64_t extent_bytes = kSlotBytes;
  const kvb_arena_config arena_config = {
      .size = sizeof(arena_config), .planes = 1, .extent_bytes = &extent_bytes, .slots = kSlots};
  kvb_arena* arena;
  Check(kvb_arena_create(session, &arena_config, &arena), "kvb_arena_create");
  std::printf("%llu MiB of addresses on %s, backed so far: %llu MiB\n",
              static_cast<unsigned long long>(kSlots * kSlotBytes / kMiB), uuid.c_str(),
              static_cast<unsigned long long>(BackedMiB(arena)));
  auto* const base = static_cast<uint64_t*>(kvb_arena_base(arena, 0));

  {
    // Some slots, and a kernel that writes to them. What it reads and writes must be backed from before its launch on.
    Slots upload(kMost);
    Check(kvb_arena_want(arena, kFirst, 0, KVB_URGENCY_HIGH), "kvb_arena_want");
    std::vector<uint64_t> slots = Take(arena, kFirst);
    Write<<<kBlocks, kThreads, 0, stream>>>(base, upload.Upload(slots, stream), slots.size());
    Check(cudaGetLastError(), "Write");

    // More of them while the kernel runs: mapping does not wait for it, nor does it disturb it.
    Check(kvb_arena_want(arena, kMost, 0, KVB_URGENCY_HIGH), "kvb_arena_want");
    const std::vector<uint64_t> more = Take(arena, kMost - kFirst);
    Write<<<kBlocks, kThreads, 0, stream>>>(base, upload.Upload(more, stream), more.size());
    Check(cudaGetLastError(), "Write");
    std::printf("%zu slots written while %zu more were added: %llu MiB are backed\n", slots.size(), more.size(),
                static_cast<unsigned long long>(BackedMiB(arena)));

    std::vector<uint64_t> all = slots;
    all.insert(all.end(), more.begin(), more.end());
    ExpectIntact(base, all, upload, stream);
    std::printf("%zu slots hold what was written to them\n", all.size());

    // Giving back. First the fence: unmapping waits for no kernel, and a kernel that touches a slot which is gone ends
    // this process. ExpectIntact has synchronised the stream; an engine records an event after the last work that used
    // the slots, and retires them once it has come.
    Check(kvb_arena_want(arena, kFirst, 0, KVB_URGENCY_NORMAL), "kvb_arena_want");
    Check(kvb_arena_retire(arena, more.data(), more.size()), "kvb_arena_retire");
    while (Backed(arena) > slots.size()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ExpectIntact(base, slots, upload, stream);
    std::printf("%zu slots given back: %llu MiB are backed, and still hold what was written to them\n", more.size(),
                static_cast<unsigned long long>(BackedMiB(arena)));
  }

  // Nothing runs any more: the rest may go with the arena.
  Check(kvb_arena_destroy(arena), "kvb_arena_destroy");
  Check(kvb_session_close(session), "kvb_session_close");
  Check(cudaStreamDestroy(stream), "cudaStreamDestroy");
}

}  // namespace

int main() {
  Run();
  return 0;
}
