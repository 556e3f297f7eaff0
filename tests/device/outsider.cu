// A program that knows nothing of the broker: takes so many GiB by plain cudaMalloc, writes to all of it, keeps it for so many
// seconds and gives it back. For `kvctl launch --room 20GiB -- ./outsider 20 5` (docs/benchmarks.md).
//
//   nvcc -o outsider tests/device/outsider.cu
#include <cuda_runtime.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: outsider GIB SECONDS\n");
    return 2;
  }
  std::vector<void*> parts;
  for (int i = 0; i < std::atoi(argv[1]); ++i) {
    void* part = nullptr;
    cudaError_t error = cudaMalloc(&part, size_t{1} << 30);
    if (error == cudaSuccess) error = cudaMemset(part, 7, size_t{1} << 30);
    if (error == cudaSuccess) error = cudaDeviceSynchronize();
    if (error != cudaSuccess) {
      std::fprintf(stderr, "outsider: %d of %s GiB, then: %s\n", i, argv[1], cudaGetErrorString(error));
      return 1;
    }
    parts.push_back(part);
  }
  std::printf("outsider: has %zu GiB\n", parts.size());
  std::fflush(stdout);
  sleep(static_cast<unsigned>(std::atoi(argv[2])));
  for (void* part : parts) cudaFree(part);
  return 0;
}
