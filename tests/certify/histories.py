"""Real histories, certified as they are: what `surefoot certify` finds in published applications.

    python -m tests.certify.histories [--only NAME] … [--minutes N] [--structures N]
        [--from RELEASE] … [--write] [--reports DIRECTORY]

The applications are those of tests/corpora, each in an environment of its own. `--structures`
begins at so many revisions, evenly spaced, in place of certify's own choice. Prints a row for each:
the cases by what came of them. `--write` puts the row into docs/evidence/certified.md, `--reports`
keeps the whole reports. What was found goes to standard error; the exit code is then 1.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "corpora"))
from tests.corpora.environments import NotRun, environment, find_python
from tests.corpora.run import Case, cases, prepare
from tests.support.rows import write_row

PAGE = Path(__file__).parents[2] / "docs" / "evidence" / "certified.md"
TITLE = "| history | passed | failed | doubtful | not tried | seconds |"
OUTCOMES = ("passed", "failed", "doubtful", "not-run")


def certified(case: Case, words: list[str], structures: int) -> dict[str, Any]:
    """The report on this application, with so many structures (0: certify's own).

    Raises NotRun where this machine can't run it.
    """
    made = environment("corpora", case.name, find_python(case.python), case.packages, "binary")
    with tempfile.TemporaryDirectory(prefix="certify-") as directory:
        _, variables = prepare(case, made, Path(directory))

        def surefoot(*words: str) -> dict[str, Any]:
            done = subprocess.run(
                [made / "bin" / "surefoot", *words, "--json"],
                cwd=directory,
                env=variables,
                capture_output=True,
                text=True,
                check=False,
            )
            if not done.stdout.strip():
                raise RuntimeError(done.stderr[-3000:])
            return json.loads(done.stdout)

        if structures:
            told = surefoot("history")
            if "revisions" not in told:  # its configuration requires a catalogue
                surefoot("catalog", "build", "--no-downgrade", "--no-stepwise")
                told = surefoot("history")
            ids = [one["revision"] for one in told["revisions"]][::-1]
            for number in range(1, structures + 1):
                words = [*words, "--from", ids[number * len(ids) // (structures + 1)]]
        return surefoot("certify", *words)


def row(case: Case, report: dict[str, Any]) -> str:
    """A row of the table. A missed case has failed; one without anything to try isn't counted."""
    outcomes = Counter(one["outcome"] for one in report.get("cases", []))
    outcomes["failed"] += outcomes["missed"]
    figures = [*(str(outcomes[name]) for name in OUTCOMES), f"{report.get('seconds', 0):.0f}"]
    return f"| {title(case)} | {' | '.join(figures)} |"


def title(case: Case) -> str:
    """The application with its version."""
    return re.sub(r"\[.*\]", "", case.packages[0]).replace("==", " ")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", metavar="NAME", help="repeatable")
    parser.add_argument("--minutes", default="10", help="for each (%(default)s)")
    parser.add_argument("--structures", type=int, default=0, metavar="N")
    parser.add_argument("--from", dest="releases", action="append", default=[], metavar="RELEASE")
    parser.add_argument("--write", action="store_true", help=f"the rows, into {PAGE.name}")
    parser.add_argument("--reports", type=Path, metavar="DIRECTORY", help="the reports, as JSON")
    options = parser.parse_args()
    words = ["--minutes", options.minutes, "--exhaustive"]
    for release in options.releases:
        words += ["--from", release]
    print(f"{TITLE}\n|---|---:|---:|---:|---:|---:|", flush=True)
    wrong = 0
    for case in cases():
        if options.only and case.name not in options.only:
            continue
        try:
            report = certified(case, words, options.structures)
        except NotRun as error:
            print(f"{case.name}: NOT RUN: {error}", file=sys.stderr, flush=True)
            continue
        wrong += bool(report["findings"])
        print(row(case, report), flush=True)
        if options.write:
            write_row(PAGE, TITLE, row(case, report))
        if options.reports:
            options.reports.mkdir(parents=True, exist_ok=True)
            (options.reports / f"{case.name}.json").write_text(json.dumps(report, indent=1))
        for problem in report.get("problems", []):
            told = " ".join(problem["message"].split())[:600]
            print(f"{case.name}: {problem['case']}: {told}", file=sys.stderr, flush=True)
        for finding in report["findings"]:
            print(f"{case.name}: {finding['message']}", file=sys.stderr, flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
