"""The places in vLLM that the plug-in works from: all of them fit, or none is touched."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

TESTED_VERSIONS = ("0.26.0",)
_MARK = "_kvbroker_hook"


@dataclasses.dataclass(frozen=True)
class Hook:
    """A function of vLLM's that is replaced by `wrap(original)`, which must take the same arguments."""

    owner: Any  # a module or a class
    name: str
    parameters: tuple[str, ...]  # that the original must have, in this order
    wrap: Callable[[Callable[..., Any]], Callable[..., Any]]

    def misfit(self) -> str | None:
        """Why it cannot be installed; None: it can."""
        where = f"{getattr(self.owner, '__module__', '')}.{self.owner.__name__}.{self.name}".lstrip(".")
        original = vars(self.owner).get(self.name)
        if not callable(original):
            return f"{where} is not there"
        given = tuple(inspect.signature(original).parameters)
        if given[: len(self.parameters)] != self.parameters:
            return f"{where} takes ({', '.join(given)}), and ({', '.join(self.parameters)}) was expected"
        return None

    def install(self) -> None:
        original = vars(self.owner)[self.name]
        if hasattr(original, _MARK):
            return
        wrapped = functools.wraps(original)(self.wrap(original))
        setattr(wrapped, _MARK, True)
        setattr(self.owner, self.name, wrapped)


@dataclasses.dataclass(frozen=True)
class Needed:
    """Something of vLLM's that is used as it is."""

    owner: Any
    names: tuple[str, ...]

    def misfit(self) -> str | None:
        missing = [name for name in self.names if not hasattr(self.owner, name)]
        return f"{self.owner.__module__}.{self.owner.__name__} has no {', '.join(missing)}" if missing else None


def install(version: str, hooks: list[Hook], needed: list[Needed], *, untested: bool) -> None:
    """Raises RuntimeError, and touches nothing, where the version was not tested or one of them does not fit."""
    if version.split("+")[0] not in TESTED_VERSIONS and not untested:
        raise RuntimeError(
            f"kvbroker was tested with vLLM {', '.join(TESTED_VERSIONS)}, and this is {version}."
            " KVBROKER_ALLOW_UNTESTED=1 tries it nonetheless; without KVBROKER_TENANT the plug-in is off."
        )
    parts: list[Hook | Needed] = [*hooks, *needed]
    misfits = [misfit for part in parts if (misfit := part.misfit())]
    if misfits:
        raise RuntimeError(f"kvbroker does not fit vLLM {version}, and changed nothing: {'; '.join(misfits)}")
    for hook in hooks:
        hook.install()
