"""How our binaries and tests are linked."""

# For tests of several threads that meet at Abseil's mutexes, or gRPC's: ThreadSanitizer does not see those of Debian's
# libraries, which are not built for it, and takes all that they guard for races.
NOT_UNDER_TSAN = select({
    "//deploy/bazel:tsan": ["@platforms//:incompatible"],
    "//conditions:default": [],
})

# For tests whose programs are not built by Bazel (a C compiler's, Python): they cannot load a library that was built for a
# sanitizer.
NOT_UNDER_SANITIZERS = select({
    "//deploy/bazel:asan": ["@platforms//:incompatible"],
    "//deploy/bazel:tsan": ["@platforms//:incompatible"],
    "//conditions:default": [],
})

def kvb_binary(name, deps = [], **kwargs):
    """A program that carries gRPC, protobuf and Abseil in itself and runs on any newer glibc without them."""
    native.cc_binary(
        name = name,
        deps = deps + ["@system//:static"],
        **kwargs
    )

def kvb_exporter(name, deps = [], **kwargs):
    """A program that serves metrics. Debian has Prometheus' client as a shared library alone, which brings the others."""
    native.cc_binary(
        name = name,
        deps = deps + ["@system//:prometheus", "@system//:shared"],
        **kwargs
    )

def kvb_test(name, deps = [], **kwargs):
    """A GoogleTest, linked against the shared libraries (small, quick to link)."""
    native.cc_test(
        name = name,
        linkstatic = True,
        deps = deps + ["@system//:gtest", "@system//:shared"],
        **kwargs
    )

def kvb_shared_library(name, soname, version_script, deps = [], visibility = None, **kwargs):
    """A shared library for others, linked against the shared libraries (Debian's archives cannot be in one).

    It shows what its version script names, and nothing else. A second target has the soname as its name: what links
    against that finds it at run time.

    Args:
      name: ends with ".so".
      soname: the name that programs keep, with the number of the ABI.
      version_script: a file of this package.
      deps: the code; libraries whose functions nobody calls from within need alwayslink.
      visibility: of both.
      **kwargs: as of cc_binary.
    """
    native.cc_binary(
        name = name,
        linkshared = True,
        additional_linker_inputs = [version_script],
        # Gold, which Bazel prefers, shows what a version script hides where a library that is linked has it too (parts of
        # std::string). The other linker knows no --start-lib.
        features = ["-supports_start_end_lib"],
        linkopts = [
            "-fuse-ld=bfd",
            "-Wl,-soname," + soname,
            "-Wl,--version-script,$(location %s)" % version_script,
            "-Wl,-z,defs",
            # gRPC's threads outlive the last session: the code must stay where it is when the library is closed.
            "-Wl,-z,nodelete",
        ],
        visibility = visibility,
        deps = deps + ["@system//:shared"],
        **kwargs
    )
    native.genrule(
        name = name + "_by_soname",
        srcs = [":" + name],
        outs = [soname],
        cmd = "cp $< $@",
        visibility = visibility,
    )

def kvb_gpu_test(name, deps = [], **kwargs):
    """A GoogleTest that carries its libraries in itself, so that it can be copied to a machine with a GPU and run there.

    Where there is no GPU it skips itself and says so.
    """
    native.cc_test(
        name = name,
        linkstatic = True,
        linkopts = ["-l:libgmock_main.a", "-l:libgmock.a", "-l:libgtest.a"],
        deps = deps + ["@system//:static"],
        **kwargs
    )
