"""How our binaries and tests are linked."""

def kvb_binary(name, deps = [], **kwargs):
    """A program that carries gRPC, protobuf and Abseil in itself and runs on any newer glibc without them."""
    native.cc_binary(
        name = name,
        deps = deps + ["@system//:static"],
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
