"""Fuzz targets: a test that replays the corpus, and with --config=fuzz a libFuzzer."""

load("//deploy/bazel:build.bzl", "kvb_test")

def fuzz_target(name, deps):
    """NAME_fuzz.cc with its corpus in corpus/NAME/. Targets: NAME_corpus_test, and NAME_fuzz for --config=fuzz.

    Args:
      name: what is fuzzed.
      deps: of NAME_fuzz.cc.
    """
    native.cc_library(
        name = name + "_target",
        testonly = True,
        srcs = [name + "_fuzz.cc"],
        deps = deps,
        alwayslink = True,
    )
    kvb_test(
        name = name + "_corpus_test",
        size = "small",
        srcs = ["replay_main.cc"],
        args = ["tests/fuzz/corpus/" + name],
        data = native.glob(["corpus/" + name + "/*"]),
        deps = [":" + name + "_target"],
    )
    kvb_test(
        name = name + "_fuzz",
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = [":" + name + "_target"],
    )
