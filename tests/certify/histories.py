"""Real histories, certified as they are: what `surefoot certify` finds in published applications.

    python -m tests.certify.histories [--only NAME] … [--minutes N] [--from RELEASE] …

The applications are those of tests/corpora, each in an environment of its own. Prints a row for
each: the cases by what came of them, and what was found. Exits with 1 where something was.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "corpora"))
from tests.corpora.environments import NotRun, environment, find_python
from tests.corpora.run import Case, cases, prepare


def certified(case: Case, words: list[str]) -> dict[str, Any]:
    """The report on this application. Raises NotRun where this machine can't run it."""
    made = environment("corpora", case.name, find_python(case.python), case.packages, "binary")
    with tempfile.TemporaryDirectory(prefix="certify-") as directory:
        _, variables = prepare(case, made, Path(directory))
        done = subprocess.run(
            [made / "bin" / "surefoot", "certify", "--json", *words],
            cwd=directory,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        if not done.stdout.strip():
            raise RuntimeError(done.stderr[-3000:])
        return json.loads(done.stdout)


def row(package: str, report: dict[str, Any], seconds: float) -> str:
    """A row of the table."""
    outcomes = Counter(case["outcome"] for case in report.get("cases", []))
    said = ", ".join(f"{number} {outcome}" for outcome, number in outcomes.most_common())
    found = [f"{p['invariant']} at `{p['case']}`" for p in report.get("problems", [])]
    found = found or [finding["code"] for finding in report["findings"]]
    return f"| {package} | {said} | {'; '.join(found) or 'nothing'} | {seconds:.0f} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", metavar="NAME", help="repeatable")
    parser.add_argument("--minutes", default="10", help="for each (%(default)s)")
    parser.add_argument("--from", dest="releases", action="append", default=[], metavar="RELEASE")
    options = parser.parse_args()
    words = ["--minutes", options.minutes, "--exhaustive"]
    for release in options.releases:
        words += ["--from", release]
    print("| history | cases | found | seconds |\n|---|---|---|---:|", flush=True)
    wrong = 0
    for case in cases():
        if options.only and case.name not in options.only:
            continue
        started = time.monotonic()
        try:
            report = certified(case, words)
        except NotRun as error:
            print(f"{case.name}: NOT RUN: {error}", file=sys.stderr, flush=True)
            continue
        wrong += bool(report["findings"])
        print(row(case.packages[0], report, time.monotonic() - started), flush=True)
        for problem in report.get("problems", []):
            told = " ".join(problem["message"].split())[:600]
            print(f"{case.name}: {problem['case']}: {told}", file=sys.stderr, flush=True)
        for finding in report["findings"]:
            print(f"{case.name}: {finding['message']}", file=sys.stderr, flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
