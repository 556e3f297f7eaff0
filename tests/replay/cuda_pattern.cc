#include "tests/replay/cuda_pattern.h"

#include <cuda.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/log.h"
#include "common/base/status.h"
#include "common/device/cuda/driver_api.h"

namespace kvbroker::replay {
namespace {

// What of the driver only this file needs; named as in DriverApi.
struct KernelApi {
  decltype(&::cuModuleLoadData) module_load_data = nullptr;
  decltype(&::cuModuleUnload) module_unload = nullptr;
  decltype(&::cuModuleGetFunction) module_get_function = nullptr;
  decltype(&::cuStreamCreate) stream_create = nullptr;
  decltype(&::cuStreamSynchronize) stream_synchronize = nullptr;
  decltype(&::cuStreamDestroy_v2) stream_destroy = nullptr;
  decltype(&::cuLaunchKernel) launch_kernel = nullptr;
  decltype(&::cuMemHostAlloc) mem_host_alloc = nullptr;
  decltype(&::cuMemFreeHost) mem_free_host = nullptr;
};

template <typename Function>
absl::Status Resolve(void* library, const char* symbol, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, symbol));
  if (function == nullptr) return absl::UnavailableError(absl::StrCat("the CUDA driver has no ", symbol));
  return absl::OkStatus();
}

absl::StatusOr<KernelApi> LoadKernelApi() {
  KVB_RETURN_IF_ERROR(DriverApi::Load().status());
  void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);  // loaded by now, and stays so
  if (library == nullptr) return absl::InternalError("the CUDA driver is not loaded");
  KernelApi api;
  KVB_RETURN_IF_ERROR(Resolve(library, "cuModuleLoadData", api.module_load_data));
  KVB_RETURN_IF_ERROR(Resolve(library, "cuModuleUnload", api.module_unload));
  KVB_RETURN_IF_ERROR(Resolve(library, "cuModuleGetFunction", api.module_get_function));
  KVB_RETURN_IF_ERROR(Resolve(library, "cuStreamCreate", api.stream_create));
  KVB_RETURN_IF_ERROR(Resolve(library, "cuStreamSynchronize", api.stream_synchronize));
  KVB_RETURN_IF_ERROR(Resolve(library, "cuStreamDestroy_v2", api.stream_destroy));
  KVB_RETURN_IF_ERROR(Resolve(library, "cuLaunchKernel", api.launch_kernel));
  KVB_RETURN_IF_ERROR(Resolve(library, "cuMemHostAlloc", api.mem_host_alloc));
  KVB_RETURN_IF_ERROR(Resolve(library, "cuMemFreeHost", api.mem_free_host));
  return api;
}

absl::Status Check(CUresult result, absl::string_view what) {
  if (result == CUDA_SUCCESS) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(what, ": CUDA error ", static_cast<int>(result)));
}

// A kernel's parameter: the driver takes at most 4 KiB, and copies it at the launch, so that no memory of the device
// and no copy is needed to name the blocks.
constexpr size_t kBlocksALaunch = 240;
struct Batch {
  uint64_t pairs;  // of words, in a block
  uint64_t* wrong;
  PatternBlock blocks[kBlocksALaunch];
};
static_assert(sizeof(Batch) <= 4096);
static_assert(sizeof(PatternBlock) == 16 && offsetof(Batch, blocks) == 16);

constexpr unsigned kThreads = 256;

// Both kernels: the grid's y is the block, its x and the threads share the block's pairs of words. Pair i is
// {seed + 2i × step, seed + (2i + 1) × step}.
constexpr char kPtx[] = R"(
.version 6.4
.target sm_75
.address_size 64

.visible .entry kvb_fill(.param .align 8 .b8 batch[3856])
{
  .reg .pred %p;
  .reg .b32 %r<6>;
  .reg .b64 %param, %at, %pairs, %i, %stride, %words, %seed, %first, %second;

  mov.b64 %param, batch;
  ld.param.u64 %pairs, [batch];
  mov.u32 %r1, %ctaid.y;
  mul.wide.u32 %at, %r1, 16;
  add.s64 %at, %at, %param;
  ld.param.u64 %words, [%at+16];
  ld.param.u64 %seed, [%at+24];
  cvta.to.global.u64 %words, %words;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %ctaid.x;
  mov.u32 %r4, %nctaid.x;
  mov.u32 %r5, %tid.x;
  cvt.u64.u32 %at, %r5;
  mul.wide.u32 %i, %r3, %r2;
  add.s64 %i, %i, %at;
  mul.wide.u32 %stride, %r4, %r2;

FILL:
  setp.ge.u64 %p, %i, %pairs;
  @%p bra FILLED;
  mul.lo.s64 %first, %i, 0x3C6EF372FE94F82A;
  add.s64 %first, %first, %seed;
  add.s64 %second, %first, 0x9E3779B97F4A7C15;
  shl.b64 %at, %i, 4;
  add.s64 %at, %at, %words;
  st.global.v2.u64 [%at], {%first, %second};
  add.s64 %i, %i, %stride;
  bra FILL;

FILLED:
  ret;
}

.visible .entry kvb_verify(.param .align 8 .b8 batch[3856])
{
  .reg .pred %p;
  .reg .b32 %r<6>;
  .reg .b64 %param, %at, %pairs, %i, %stride, %words, %seed, %first, %second, %found<3>, %one, %wrong;

  mov.b64 %param, batch;
  ld.param.u64 %pairs, [batch];
  mov.u32 %r1, %ctaid.y;
  mul.wide.u32 %at, %r1, 16;
  add.s64 %at, %at, %param;
  ld.param.u64 %words, [%at+16];
  ld.param.u64 %seed, [%at+24];
  cvta.to.global.u64 %words, %words;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %ctaid.x;
  mov.u32 %r4, %nctaid.x;
  mov.u32 %r5, %tid.x;
  cvt.u64.u32 %at, %r5;
  mul.wide.u32 %i, %r3, %r2;
  add.s64 %i, %i, %at;
  mul.wide.u32 %stride, %r4, %r2;
  mov.u64 %wrong, 0;

VERIFY:
  setp.ge.u64 %p, %i, %pairs;
  @%p bra VERIFIED;
  mul.lo.s64 %first, %i, 0x3C6EF372FE94F82A;
  add.s64 %first, %first, %seed;
  add.s64 %second, %first, 0x9E3779B97F4A7C15;
  shl.b64 %at, %i, 4;
  add.s64 %at, %at, %words;
  ld.global.v2.u64 {%found1, %found2}, [%at];
  setp.ne.s64 %p, %found1, %first;
  selp.u64 %one, 1, 0, %p;
  add.s64 %wrong, %wrong, %one;
  setp.ne.s64 %p, %found2, %second;
  selp.u64 %one, 1, 0, %p;
  add.s64 %wrong, %wrong, %one;
  add.s64 %i, %i, %stride;
  bra VERIFY;

VERIFIED:
  setp.eq.s64 %p, %wrong, 0;
  @%p bra DONE;
  ld.param.u64 %at, [batch+8];
  cvta.to.global.u64 %at, %at;
  red.global.add.u64 [%at], %wrong;
DONE:
  ret;
}
)";
static_assert(sizeof(Batch) == 3856 && 2 * kPatternStep == 0x3C6EF372FE94F82A, "as in the PTX");

class CudaPattern : public Pattern {
 public:
  CudaPattern(const KernelApi& api, Bytes block) : api_(api), pairs_(block.in_bytes() / 16) {}

  ~CudaPattern() override {
    if (stream_ != nullptr) {
      Undo(Check(api_.stream_synchronize(stream_), "cuStreamSynchronize"));
      Undo(Check(api_.stream_destroy(stream_), "cuStreamDestroy"));
    }
    if (wrong_ != nullptr) Undo(Check(api_.mem_free_host(wrong_), "cuMemFreeHost"));
    if (module_ != nullptr) Undo(Check(api_.module_unload(module_), "cuModuleUnload"));
  }

  absl::Status Prepare() {
    KVB_RETURN_IF_ERROR(Check(api_.module_load_data(&module_, kPtx), "cuModuleLoadData of the pattern kernels"));
    KVB_RETURN_IF_ERROR(Check(api_.module_get_function(&fill_, module_, "kvb_fill"), "cuModuleGetFunction"));
    KVB_RETURN_IF_ERROR(Check(api_.module_get_function(&verify_, module_, "kvb_verify"), "cuModuleGetFunction"));
    KVB_RETURN_IF_ERROR(Check(api_.stream_create(&stream_, CU_STREAM_NON_BLOCKING), "cuStreamCreate"));
    // In host memory that the kernel reaches: it is written to only when something is wrong.
    void* wrong = nullptr;
    KVB_RETURN_IF_ERROR(
        Check(api_.mem_host_alloc(&wrong, sizeof(uint64_t), CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP),
              "cuMemHostAlloc"));
    wrong_ = static_cast<uint64_t*>(wrong);
    return absl::OkStatus();
  }

  absl::Status Fill(absl::Span<const PatternBlock> blocks) override { return LaunchAll(fill_, blocks); }

  absl::StatusOr<uint64_t> CountWrongWords(absl::Span<const PatternBlock> blocks) override {
    *wrong_ = 0;
    KVB_RETURN_IF_ERROR(LaunchAll(verify_, blocks));
    KVB_RETURN_IF_ERROR(Check(api_.stream_synchronize(stream_), "verifying blocks"));
    return *static_cast<volatile uint64_t*>(wrong_);
  }

 private:
  static void Undo(const absl::Status& status) {
    if (!status.ok()) LogWarning("taking the pattern kernels down: ", status.message());
  }

  absl::Status LaunchAll(CUfunction kernel, absl::Span<const PatternBlock> blocks) {
    for (; !blocks.empty(); blocks.remove_prefix(std::min(blocks.size(), kBlocksALaunch))) {
      KVB_RETURN_IF_ERROR(Launch(kernel, blocks.subspan(0, kBlocksALaunch)));
    }
    return absl::OkStatus();
  }

  absl::Status Launch(CUfunction kernel, absl::Span<const PatternBlock> blocks) {
    Batch batch{.pairs = pairs_, .wrong = wrong_, .blocks = {}};
    std::copy(blocks.begin(), blocks.end(), batch.blocks);
    void* parameters[] = {&batch};
    // Eight pairs a thread: enough thread blocks to fill the GPU even with one block of KV cache.
    const auto wide = static_cast<unsigned>(std::clamp<uint64_t>(pairs_ / (8 * kThreads), 1, 1024));
    return Check(api_.launch_kernel(kernel, wide, static_cast<unsigned>(blocks.size()), 1, kThreads, 1, 1, 0, stream_,
                                    parameters, nullptr),
                 "cuLaunchKernel of a pattern");
  }

  // Constant after Prepare().
  const KernelApi api_;
  const uint64_t pairs_;
  CUmodule module_ = nullptr;
  CUfunction fill_ = nullptr;
  CUfunction verify_ = nullptr;
  CUstream stream_ = nullptr;
  uint64_t* wrong_ = nullptr;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Pattern>> CreateCudaPattern(Device& device, Bytes block) {
  KVB_RETURN_IF_ERROR(device.BindThread());
  KVB_ASSIGN_OR_RETURN(const KernelApi api, LoadKernelApi());
  auto pattern = std::make_unique<CudaPattern>(api, block);
  KVB_RETURN_IF_ERROR(pattern->Prepare());
  return pattern;
}

}  // namespace kvbroker::replay
