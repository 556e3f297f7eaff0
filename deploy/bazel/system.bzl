"""Repositories made from what the machine has: Debian's C++ libraries, and the CUDA headers."""

_SYSTEM_BUILD = '''
package(default_visibility = ["//visibility:public"])

# Headers are on the compiler's default path: libraries of ours need no target to include them.
# What is linked is chosen once for each final binary (//deploy/bazel:build.bzl).

cc_library(
    name = "shared",
    linkopts = {shared},
)

cc_library(
    name = "static",
    linkopts = {static},
)

cc_library(
    name = "gtest",
    testonly = True,
    linkopts = ["-lgmock_main", "-lgmock", "-lgtest"],
)

cc_library(
    name = "prometheus",
    linkopts = ["-lprometheus-cpp-pull", "-lprometheus-cpp-core"],
)

cc_library(
    name = "benchmark",
    testonly = True,
    linkopts = ["-lbenchmark"],
)
'''

# Parts of glibc: never linked statically.
_ALWAYS_SHARED = ["-ldl", "-lrt", "-lm", "-lpthread"]

def _pkg_config(ctx, arguments):
    result = ctx.execute(["pkg-config"] + arguments)
    if result.return_code != 0:
        fail("pkg-config %s failed; ./deploy/setup.sh installs what the build needs:\n%s" %
             (" ".join(arguments), result.stderr))
    return [flag for flag in result.stdout.strip().split(" ") if flag.startswith("-l")]

def _system_libraries_impl(ctx):
    # Abseil parts that we use and that gRPC's own list does not name.
    packages = ["grpc++", "protobuf", "zlib", "absl_flags", "absl_log_severity", "absl_statusor", "absl_synchronization", "absl_strings", "absl_time", "absl_random_random", "absl_flat_hash_map"]
    shared = ["-Wl,--as-needed"] + _unique(_pkg_config(ctx, ["--libs"] + packages))
    static = []
    for flag in _unique(_pkg_config(ctx, ["--static", "--libs"] + packages)):
        static.append(flag if flag in _ALWAYS_SHARED else "-l:lib%s.a" % flag[2:])
    # Bazel adds -lstdc++ at the end; with all of it found in the archive before, --as-needed leaves it out.
    static = ["-Wl,--as-needed", "-Wl,--start-group"] + static + ["-l:libstdc++.a", "-Wl,--end-group", "-static-libgcc"]
    ctx.file("BUILD", _SYSTEM_BUILD.format(shared = repr(shared), static = repr(static)))

def _unique(flags):
    return {flag: None for flag in flags}.keys()

system_libraries = repository_rule(
    implementation = _system_libraries_impl,
    local = True,
    doc = "Debian's gRPC, protobuf, Abseil, GoogleTest, Google Benchmark and Prometheus' client, found through pkg-config.",
)

def _cuda_headers_impl(ctx):
    places = [ctx.os.environ.get("CUDA_HOME", ""), "/usr/local/cuda", "/usr/local/share/kvbroker/cuda"]
    for place in places:
        if place and ctx.path(place + "/include/cuda.h").exists:
            ctx.symlink(place + "/include", "include")
            ctx.file("BUILD", '''
cc_library(
    name = "headers",
    hdrs = glob(["include/*.h"]),
    includes = ["include"],
    visibility = ["//visibility:public"],
)
''')
            return
    fail("no include/cuda.h under CUDA_HOME, /usr/local/cuda or /usr/local/share/kvbroker/cuda; " +
         "./deploy/setup.sh installs the header")

cuda_headers = repository_rule(
    implementation = _cuda_headers_impl,
    environ = ["CUDA_HOME"],
    local = True,
    doc = "cuda.h alone: libcuda itself is opened at run time.",
)
