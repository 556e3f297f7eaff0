"""A real broker for tests."""

from __future__ import annotations

import pathlib
import subprocess
import tempfile
import time


class Broker:
    """Runs in a directory of its own, and ends with `stop()`."""

    def __init__(self, program: str, *arguments: str, device: str = "host") -> None:
        self._dir = tempfile.TemporaryDirectory(prefix="kvb", dir="/tmp")  # a short name: sockets are made in it
        self.runtime_dir = self._dir.name
        self._program, self._arguments = program, ["--device", device, *arguments]
        self._start()

    def restart(self) -> None:
        """Another one in the place of the one that was killed."""
        self._start()

    def _start(self) -> None:
        log = pathlib.Path(self.runtime_dir) / "broker.log"
        with log.open("w") as output:
            self._process = subprocess.Popen(
                [self._program, "--runtime-dir", self.runtime_dir, *self._arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 20
        while " ready " not in log.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"kvbrokerd did not start: {log.read_text()}")
            time.sleep(0.02)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process.poll() is None:
            self.kill()
        self._dir.cleanup()
