"""What deploy/wheel.sh packs is all that a program needs beside a broker.

wheel_test.py BAZEL_BIN WHEELS PYTHON [TEST ...]
WHEELS is the folder that the wheel was written to, PYTHON that of an environment with nothing but the wheel in it.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

BIN, WHEELS, PYTHON = (pathlib.Path(argument).absolute() for argument in sys.argv[1:4])
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "client/python/tests"))

import counted  # noqa: E402
from broker import Broker  # noqa: E402

SCRIPT = ROOT / "client/python/examples/arena.py"


class WheelTest(unittest.TestCase):
    def setUp(self) -> None:
        self.broker = Broker(str(BIN / "broker/kvbrokerd"), "--host-memory", "64MiB")
        self.addCleanup(self.broker.stop)

    def python(self, *arguments: str | pathlib.Path) -> subprocess.CompletedProcess[str]:
        """Runs the environment's Python, far from the source tree and its libraries."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KVBROKER_", "LD_"))}
        return subprocess.run(
            [PYTHON, *arguments],
            cwd=self.broker.runtime_dir,
            env={**ours, "KVBROKER_RUNTIME_DIR": self.broker.runtime_dir},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def memory(self) -> dict[str, int]:
        """What the broker says of its memory, bytes."""
        kvctl = [BIN / "cli/kvctl", "--runtime-dir", self.broker.runtime_dir, "status", "--json"]
        status = json.loads(subprocess.run(kvctl, capture_output=True, check=True).stdout)
        return {name: int(value) for name, value in status["memory"].items()}

    def test_there_is_one_for_every_python_on_any_newer_linux(self) -> None:
        names = [wheel.name for wheel in WHEELS.iterdir()]
        self.assertEqual(len(names), 1, names)
        self.assertRegex(names[0], r"^kvbroker-\d+\.\d+\.\d+-py3-none-manylinux_2_\d+_(x86_64|aarch64)\.whl$")

    def test_the_environment_has_no_torch(self) -> None:
        ran = self.python("-c", "import torch")
        self.assertNotEqual(ran.returncode, 0)
        self.assertIn("No module named 'torch'", ran.stderr)

    def test_it_brings_its_library_along(self) -> None:
        program = "import kvbroker; print(kvbroker.version()); print(open('/proc/self/maps').read())"
        ran = self.python("-c", program)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        version, maps = ran.stdout.split("\n", 1)
        self.assertRegex(version, r"^\d+\.\d+\.\d+$")
        libraries = set(re.findall(r"/\S*/lib(?:kvbroker|grpc|protobuf|absl_base)\S*\.so\S*", maps))
        self.assertGreater(len(libraries), 3)
        here = str(PYTHON.parents[1])
        self.assertEqual({path for path in libraries if not path.startswith(here)}, set())

    def test_an_arena_grows_is_used_and_is_given_back(self) -> None:
        ran = self.python(SCRIPT)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        shown = re.search(r"\$ python arena.py\n(.*?)\"\"\"", SCRIPT.read_text(), re.DOTALL)
        assert shown is not None
        self.assertEqual(ran.stdout.splitlines(), [line.strip() for line in shown[1].splitlines()])
        deadline = time.monotonic() + 20
        while (memory := self.memory())["driver_free"] < memory["total"] or memory["granted"] > 0:
            self.assertLess(time.monotonic(), deadline, memory)
            time.sleep(0.05)
        self.assertEqual(memory["total"], 64 << 20)

    def test_without_a_broker_it_says_what_to_do(self) -> None:
        self.broker.kill()
        ran = self.python("-c", "import kvbroker; kvbroker.Session('a', runtime_dir='/nonexistent')")
        self.assertNotEqual(ran.returncode, 0)
        self.assertRegex(ran.stderr, r"NotFound: .*kvbrokerd")

    def test_the_manual_shows_the_script_as_it_is(self) -> None:
        page = (ROOT / "docs/embedding.md").read_text()
        shown = re.findall(r"^```python arena\.py\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
        self.assertEqual(len(shown), 1)
        self.assertEqual(shown[0], SCRIPT.read_text().split('"""\n\n', 1)[1])


if __name__ == "__main__":
    counted.main(sys.argv[4:])
