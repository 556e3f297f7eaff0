"""Lets PyPI's torch, which is built for CUDA, be imported without CUDA's libraries (3 GB that a CPU never uses).

stub_cuda.py SITE_PACKAGES

For each library that torch is linked with, one is made beside torch's own that has the functions torch looks for, and each
of them answers cudaErrorNoDevice: torch then finds no GPU.
"""

import collections
import glob
import os
import subprocess
import sys
import tempfile

# The library, and how the names of its functions begin; longer beginnings first.
LIBRARIES = {
    "libcusparseLt.so.0": ("cusparseLt",),
    "libcusparse.so.12": ("cusparse",),
    "libcufft.so.12": ("cufft",),
    "libcufile.so.0": ("cuFile",),
    "libnccl.so.2": ("nccl", "pnccl"),
    "libcurand.so.10": ("curand",),
    "libcublasLt.so.13": ("cublasLt",),
    "libcublas.so.13": ("cublas",),
    "libcudnn.so.9": ("cudnn",),
    "libcusolver.so.12": ("cusolver",),
    "libnvshmem_host.so.3": ("nvshmem",),
    "libcudart.so.13": ("cuda", "__cuda"),
    "libcupti.so.13": ("cupti",),
}
NO_DEVICE = 100
BODIES = {
    "cudaGetDeviceCount": "int cudaGetDeviceCount(int* count) { *count = 0; return 100; }",
    "cudaGetLastError": "int cudaGetLastError(void) { return 0; }",
    "cudaGetErrorString": 'const char* cudaGetErrorString(int error) { return "no CUDA here"; }',
    "cudaGetErrorName": 'const char* cudaGetErrorName(int error) { return "cudaErrorNoDevice"; }',
}


def undefined_symbols(libraries: list[str]) -> list[tuple[str, str]]:
    """Names with their versions ("" where there is none)."""
    listed = subprocess.run(["nm", "-D", "--undefined-only", *libraries], capture_output=True, text=True, check=True)
    names = [line.split()[1] for line in listed.stdout.splitlines() if len(line.split()) == 2]
    return sorted({(name.partition("@")[0], name.partition("@")[2].lstrip("@")) for name in names})


def make_stub(path: str, symbols: list[tuple[str, str]]) -> None:
    bodies = [BODIES.get(name, f"int {name}(void) {{ return {NO_DEVICE}; }}") for name, _ in symbols]
    versions = collections.defaultdict(list)
    for name, version in symbols:
        if version:
            versions[version].append(name)
    with tempfile.TemporaryDirectory() as scratch:
        source, script = os.path.join(scratch, "stub.c"), os.path.join(scratch, "stub.map")
        with open(source, "w") as file:
            file.write("\n".join(bodies) + "\n")
        with open(script, "w") as file:
            for version, names in versions.items():
                file.write(f"{version} {{ global: {'; '.join(names)}; }};\n")
        command = ["gcc", "-w", "-shared", "-fPIC", "-O1", "-o", path, source, f"-Wl,-soname,{os.path.basename(path)}"]
        subprocess.run(command + ([f"-Wl,--version-script={script}"] if versions else []), check=True)


def main() -> None:
    folder = os.path.join(sys.argv[1], "torch", "lib")
    needed = collections.defaultdict(list)
    for symbol in undefined_symbols(glob.glob(f"{folder}/libtorch*.so") + glob.glob(f"{folder}/libc10_cuda.so")):
        for library, beginnings in LIBRARIES.items():
            if symbol[0].startswith(beginnings):
                needed[library].append(symbol)
                break
    for library in LIBRARIES:
        make_stub(os.path.join(folder, library), needed[library])


if __name__ == "__main__":
    main()
