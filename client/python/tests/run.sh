#!/bin/bash
# run.sh TEST ARGUMENTS...: a test of the package that lies beside its folder, by the system's Python.
set -euo pipefail
here=$(dirname "$1")
export PYTHONPATH=$here/..:$here PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/env python3 "$@"
