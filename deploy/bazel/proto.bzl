"""C++ for a .proto file by Debian's protoc and grpc_cpp_plugin."""

def cc_proto(name, src, deps = [], grpc = False, visibility = None):
    """A cc_library of one .proto file.

    Args:
      name: the library.
      src: the .proto file, in this package.
      deps: cc_proto libraries of the files it imports.
      grpc: whether to generate its services too.
      visibility: of the library.
    """
    stem = src[:-len(".proto")]
    hdrs = [stem + ".pb.h"] + ([stem + ".grpc.pb.h"] if grpc else [])
    srcs = [stem + ".pb.cc"] + ([stem + ".grpc.pb.cc"] if grpc else [])
    plugin = "--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin --grpc_out=$(RULEDIR)/.. " if grpc else ""
    native.genrule(
        name = name + "_generated",
        # Imports are read from the source tree; naming them all keeps the rule simple and the sandbox whole.
        srcs = native.glob(["*.proto"]),
        outs = hdrs + srcs,
        cmd = "/usr/bin/protoc -I. --cpp_out=$(RULEDIR)/.. " + plugin + native.package_name() + "/" + src,
        visibility = ["//visibility:private"],
    )
    native.cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        copts = ["-w"],  # generated
        deps = deps,
        visibility = visibility,
    )
