"""A wheel with the native library in it is one for its platform, and for every version of Python: it is not an extension."""

import pathlib

from setuptools import Distribution, setup
from wheel.bdist_wheel import bdist_wheel

HAS_NATIVE = any(pathlib.Path(__file__).parent.glob("kvbroker/native/*.so*"))


class NativeDistribution(Distribution):
    def has_ext_modules(self) -> bool:
        return HAS_NATIVE


class AnyPython(bdist_wheel):
    def get_tag(self) -> tuple[str, str, str]:
        _, _, platform = super().get_tag()
        return "py3", "none", platform


setup(distclass=NativeDistribution, cmdclass={"bdist_wheel": AnyPython})
