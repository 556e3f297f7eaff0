"""Test programs that end with "N passed, N failed, N skipped"."""

from __future__ import annotations

import sys
import unittest
from collections.abc import Sequence


def main(tests: Sequence[str]) -> None:
    """Runs these tests of the program, or all of them where there are none, and ends the process."""
    ran = unittest.main(argv=[sys.argv[0], *tests], verbosity=2, exit=False).result
    failed, skipped = len(ran.failures) + len(ran.errors), len(ran.skipped)
    print(f"{ran.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(not ran.wasSuccessful())
