"""Counts test cases in what Bazel tells of a test run, and prints the skipped ones with their reasons.

Usage: summary.py BUILD_EVENTS_JSON BAZEL_EXIT_CODE

A target without Google Test's output (a script) counts as one case. The exit code is 0 only where Bazel's is, at least
one case passed and none failed.
"""

import json
import re
import sys
import urllib.parse


def read_log(uri):
    path = urllib.parse.unquote(urllib.parse.urlparse(uri).path)
    with open(path, encoding="utf-8", errors="replace") as log:
        return log.read()


def cases_of(log):
    """The numbers of passed and failed cases, and {name: reason} of the skipped ones; None where it is no Google Test."""
    if "[==========]" not in log:
        return None
    passed = len(re.findall(r"^\[       OK \]", log, re.M))
    failed = len(set(re.findall(r"^\[  FAILED  \] (\S+) \(", log, re.M)))
    skipped = {}
    for name in re.findall(r"^\[  SKIPPED \] (\S+) \(", log, re.M):
        body = log.split(f"[ RUN      ] {name}\n", 1)[-1].split(f"[  SKIPPED ] {name}", 1)[0]
        reason = re.sub(r"^\S+:\d+: Skipped\s*", "", body.strip()).strip()
        skipped[name] = " ".join(reason.split()) or "no reason given"
    return passed, failed, skipped


def main():
    events_path, bazel_exit = sys.argv[1], int(sys.argv[2])
    passed = failed = 0
    skipped = {}
    broken = []
    with open(events_path, encoding="utf-8") as events:
        for line in events:
            event = json.loads(line)
            label = event.get("id", {}).get("testSummary", {}).get("label")
            if label is None or "testSummary" not in event:
                continue
            summary = event["testSummary"]
            logs = [f["uri"] for f in summary.get("passed", []) + summary.get("failed", [])]
            counts = cases_of(read_log(logs[-1])) if logs else None
            ok = summary["overallStatus"] == "PASSED"
            if counts is None:
                passed, failed = (passed + 1, failed) if ok else (passed, failed + 1)
            else:
                passed, failed = passed + counts[0], failed + counts[1]
                skipped.update({f"{label} {name}": reason for name, reason in counts[2].items()})
                if not ok and counts[1] == 0:  # it crashed or ran out of time before it could say so
                    failed += 1
            if not ok:
                broken.append(f"{label} ({summary['overallStatus'].lower()})")
    if bazel_exit != 0 and not broken:
        broken.append("the build")
        failed += 1

    for name, reason in sorted(skipped.items()):
        print(f"skipped: {name}: {reason}")
    for label in broken:
        print(f"failed: {label}")
    print(f"{passed} passed, {failed} failed, {len(skipped)} skipped")
    return 0 if bazel_exit == 0 and failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
