"""Report the progress and the results of `surefoot certify`, for people and for programs."""

from collections import Counter
from typing import Any

from surefoot.certify.campaign import Report
from surefoot.certify.plan import KINDS, Case, Kind, Plan, Subject
from surefoot.certify.problems import Problem
from surefoot.certify.result import Result
from surefoot.errors.wording import count
from surefoot.report.building import BuildReport
from surefoot.report.json import finding as finding_json
from surefoot.report.terminal import Terminal, labelled
from surefoot.report.text import finding_lines

_LONGEST = 300  # characters of what was seen


class CertifyReport(BuildReport):
    """A live line on a terminal; in a log, a line for each subject and each failed case."""

    def prepared(self, subject: Subject, seconds: float) -> None:
        """Report that two runs of a subject without a fault have been observed."""
        self.notice(f"{subject.name}: two runs without a fault, {seconds:.1f} s")

    def planned(self, plan: Plan) -> None:
        """Report the plan of cases."""
        sampled = len(plan.sampled)
        more = f", then up to {sampled} more by seed {plan.seed}" if sampled else ""
        self.notice(f"{count(len(plan.cases), 'case')}{more}")
        self.begin("cases")

    def performed(self, result: Result, number: int, total: int) -> None:
        """Report that a case has ended."""
        self.revision(result.case.name, min(number, total), total)
        if result.outcome in ("failed", "missed"):
            what = ", ".join(dict.fromkeys(v.invariant for v in result.violations))
            self.notice(f"{result.outcome}: {result.case.name} ({what})")


def plan_lines(plan: Plan) -> list[str]:
    """Return a line for each case of the plan."""
    lines = [_planned(case) for case in plan.cases]
    if plan.sampled:
        lines += ["", f"while the minutes last, in the order of seed {plan.seed}:"]
        lines += [_planned(case) for case in plan.sampled]
    return lines


def _planned(case: Case) -> str:
    return f"{case.name}  {case.fault.text}" if case.fault is not None else case.name


def report_lines(terminal: Terminal, report: Report) -> list[str]:
    """Return the report: what was tried, what was found, and how to repeat it."""
    lines = ["", *labelled(terminal, "certify", *_head(report)), ""]
    lines += _table(report)
    for number, problem in enumerate(report.problems, 1):
        lines += ["", *_problem_lines(terminal, number, problem, report)]
    notes = notes_of(report)
    if notes:
        lines += ["", *labelled(terminal, "notes", *notes)]
    for finding in report.findings:
        lines += ["", *finding_lines(terminal, finding)]
    return lines


def _head(report: Report) -> list[str]:
    texts = [
        f"to {', '.join(report.heads)}, on {report.server or 'no server'}",
        f"seed {report.options.seed}, {report.seconds:.0f} s of {report.options.minutes:g} min",
        f"sha256 {report.digest}",
    ]
    if report.first:
        texts.append(f"{count(len(report.first), 'case')} that failed before came first")
    return texts


Cell = tuple[str, Kind]


def cells(report: Report) -> dict[Cell, list[Result]]:
    """Group the results by subject and kind, in the order of the subjects and kinds."""
    found: dict[Cell, list[Result]] = {
        (subject.name, kind): [] for subject in report.subjects for kind in KINDS
    }
    for result in report.results:
        found.setdefault((result.case.subject.name, result.case.kind), []).append(result)
    return {cell: results for cell, results in found.items() if results}


def cell_text(results: list[Result]) -> str:
    """Describe a cell: how many cases, their results, and whether the class is complete."""
    outcomes = Counter(result.outcome for result in results)
    said = [
        f"{number} {outcome}"
        for outcome in ("failed", "missed", "not-run", "doubtful", "skipped", "passed")
        if (number := outcomes[outcome])
    ]
    all_ = sum(result.case.exhaustive for result in results)
    sampled = len(results) - all_
    how = [f"{all_} exhaustive"] if all_ else []
    how += [f"{sampled} sampled"] if sampled else []
    return f"{', '.join(said)} ({', '.join(how)})"


def _table(report: Report) -> list[str]:
    found = cells(report)
    width = max((len(subject) for subject, _ in found), default=0)
    lines: list[str] = []
    before = ""
    for (subject, kind), results in found.items():
        shown = subject if subject != before else ""
        before = subject
        lines.append(f"{shown:{width}}  {kind:15}  {cell_text(results)}")
    return lines


def _problem_lines(terminal: Terminal, number: int, problem: Problem, report: Report) -> list[str]:
    about = f" at {', '.join(problem.revisions)}" if problem.revisions else ""
    cases = f", in {count(problem.cases, 'case')}" if problem.cases > 1 else ""
    title = f"{number}. {problem.invariant.replace('_', ' ')}: violated{about}{cases}"
    lines = [terminal.paint(title, "bold", "red")]
    texts = problem.told.splitlines()[:12]
    lines += labelled(terminal, "seen", *(text[:_LONGEST] for text in texts))
    if problem.fault:
        lines += labelled(terminal, "when", problem.fault)
    lines += labelled(terminal, "mend", problem.advice)
    return [*lines, *labelled(terminal, "again", again(problem, report))]


def again(problem: Problem, report: Report) -> str:
    """Return the command that repeats the smallest failing case."""
    return f"surefoot certify --seed {report.options.seed} --case {problem.case}"


def notes_of(report: Report) -> list[str]:
    """Collect the remarks that aren't failures, each once, with the number of cases."""
    found: dict[str, list[str]] = {}
    for result in report.results:
        doubts = [v.told for v in result.violations if result.outcome == "doubtful"]
        rows = f"{result.case.subject.level} rows"
        told = [f"doubtful: fails with {rows}: {' '.join(d.split())}" for d in doubts]
        for note in (*told, *result.notes):
            key = f"{result.case.kind}: {note[:_LONGEST]}"
            found.setdefault(key, []).append(result.case.subject.name)
    return [
        f"{note} [{', '.join(dict.fromkeys(subjects[:3]))}"
        f"{' and others' if len(set(subjects)) > 3 else ''}]"
        for note, subjects in found.items()
    ]


def report_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON."""
    return {
        "seed": report.options.seed,
        "minutes": report.options.minutes,
        "seconds": round(report.seconds, 1),
        "server": report.server,
        "sha256": report.digest,
        "heads": list(report.heads),
        "findings": [finding_json(one) for one in report.findings],
        "problems": [_problem_json(one) for one in report.problems],
        "cases": [_result_json(one) for one in report.results],
    }


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON."""
    return {
        "seed": plan.seed,
        "cases": [{"name": one.name, "exhaustive": one.exhaustive} for one in plan.cases],
        "sampled": [one.name for one in plan.sampled],
    }


def _problem_json(problem: Problem) -> dict[str, Any]:
    return {
        "invariant": problem.invariant,
        "kind": problem.kind,
        "revisions": list(problem.revisions),
        "message": problem.told,
        "case": problem.case,
        "number": problem.cases,
        "mend": problem.advice,
    }


def _result_json(result: Result) -> dict[str, Any]:
    return {
        "name": result.case.name,
        "outcome": result.outcome,
        "exhaustive": result.case.exhaustive,
        "fault": result.fault,
        "violations": [f"{v.invariant}: {v.told}" for v in result.violations],
        "notes": list(result.notes),
        "commands": list(result.commands),
        "seconds": round(result.seconds, 2),
    }
