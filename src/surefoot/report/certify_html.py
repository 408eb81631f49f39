"""Write the report of `surefoot certify` as one self-contained HTML page."""

from collections.abc import Iterator
from html import escape

from surefoot.certify.campaign import Report, Timeline
from surefoot.certify.plan import KINDS, Kind
from surefoot.certify.problems import Problem
from surefoot.certify.result import Outcome, Result
from surefoot.errors.masking import hidden
from surefoot.errors.printable import printable
from surefoot.report.certifying import again, cell_text, cells, notes_of

# The worst first: a cell shows its worst case.
_WORST: tuple[Outcome, ...] = ("failed", "missed", "not-run", "doubtful", "passed", "skipped")
_SIGNS: dict[str, str] = {
    "failed": "✗",
    "missed": "?",
    "not-run": "…",
    "doubtful": "!",
    "passed": "✓",
    "skipped": "–",
}

_STYLE = """
:root { color-scheme: light dark; --text: #1c2024; --soft: #5b6470; --line: #d5dae0;
  --back: #fff; --box: #f5f7f9; --good: #17692f; --bad: #b3261e; --doubt: #8a5300; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ec; --soft: #9aa5b1; --line: #39424c;
  --back: #14181c; --box: #1d2329; --good: #6fce8b; --bad: #ff8a80; --doubt: #ffc266; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 75rem; background: var(--back);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0.5rem 0; } h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem; }
code, pre { font: 0.85rem/1.45 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { background: var(--box); padding: 0.6rem; white-space: pre-wrap; margin: 0.5rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; border: 1px solid var(--line); }
table { border-collapse: collapse; width: 100%; font-size: 0.85rem; }
th, td { padding: 0.35rem 0.5rem; border-bottom: 1px solid var(--line); text-align: left;
  white-space: nowrap; }
thead th { background: var(--box); } tbody th { font-weight: 600; position: sticky; left: 0;
  background: var(--back); }
.failed, .missed { color: var(--bad); font-weight: 600; }
.not-run, .doubtful { color: var(--doubt); }
.passed { color: var(--good); } .skipped { color: var(--soft); }
section.problem { border-left: 4px solid var(--bad); padding: 0.1rem 0 0.1rem 1rem;
  margin: 1rem 0; }
details { border: 1px solid var(--line); padding: 0.4rem 0.7rem; margin: 0.4rem 0; }
summary { cursor: pointer; } .line { position: relative; height: 1.6rem; background: var(--box);
  margin: 0.3rem 0 1rem; } .line span { position: absolute; top: 0; bottom: 0; width: 3px;
  background: currentColor; }
@media (max-width: 40rem) { body { padding: 0.6rem; } tbody th { position: static; } }
"""


def html(report: Report) -> str:
    """Return the page: no scripts, and nothing that is loaded from elsewhere."""
    verdict = "passed" if report.passed else "failed"
    body = "\n".join(
        [
            f"<h1>surefoot certify: <span class={verdict}>{verdict}</span></h1>",
            _facts(report),
            *_problems(report),
            *_matrix(report),
            *_timelines(report),
            *_cases(report),
            *_notes(report),
        ]
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>surefoot certify: {verdict}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _text(text: str) -> str:
    return escape("\n".join(printable(hidden(line)) for line in text.splitlines()))


def _facts(report: Report) -> str:
    facts = {
        "to": ", ".join(report.heads),
        "server": report.server,
        "seed": str(report.options.seed),
        "time": f"{report.seconds:.0f} s of {report.options.minutes:g} min",
        "cases": f"{len(report.results)}, of which {report.not_run} not run",
        "sha256": report.digest,
    }
    rows = "".join(f"<dt>{name}</dt><dd>{_text(value)}</dd>" for name, value in facts.items())
    return f"<dl>{rows}</dl>"


def _problems(report: Report) -> Iterator[str]:
    if report.findings:
        yield "<h2>What was found</h2>"
    for finding in report.findings:
        seen = "\n".join([*finding.seen, finding.next])
        yield (
            f"<section class=problem><p><strong>{_text(finding.code)}</strong>: "
            f"{_text(finding.message)}</p><pre>{_text(seen)}</pre></section>"
        )
    for problem in report.problems:
        yield _problem(problem, report)


def _problem(problem: Problem, report: Report) -> str:
    about = f" at {', '.join(problem.revisions)}" if problem.revisions else ""
    number = f", in {problem.cases} cases" if problem.cases > 1 else ""
    when = f"<p>{_text(problem.fault)}</p>" if problem.fault else ""
    return (
        f"<section class=problem><p><strong>{_text(problem.invariant.replace('_', ' '))}</strong>: "
        f"violated{_text(about)}{number} ({_text(KINDS[problem.kind])})</p>{when}"
        f"<pre>{_text(problem.told)}</pre><p>{_text(problem.advice)}</p>"
        f"<pre>{_text(again(problem, report))}</pre></section>"
    )


def _matrix(report: Report) -> Iterator[str]:
    found = cells(report)
    if not found:
        return
    kinds: list[Kind] = [kind for kind in KINDS if any(kind == one for _, one in found)]
    yield "<h2>Releases and faults</h2><div class=wide><table><thead><tr><th>from</th>"
    yield "".join(f'<th title="{_text(KINDS[kind])}">{kind}</th>' for kind in kinds)
    yield "</tr></thead><tbody>"
    for subject in report.subjects:
        yield f"<tr><th scope=row>{_text(subject.name)}</th>"
        for kind in kinds:
            results = found.get((subject.name, kind))
            yield _cell(results) if results else "<td></td>"
        yield "</tr>"
    yield "</tbody></table></div>"


def _cell(results: list[Result]) -> str:
    worst = next(one for one in _WORST if any(result.outcome == one for result in results))
    failed = sum(result.outcome in ("failed", "missed") for result in results)
    number = f"{failed} of {len(results)}" if failed else str(len(results))
    return f'<td class={worst} title="{_text(cell_text(results))}">{_SIGNS[worst]} {number}</td>'


def _timelines(report: Report) -> Iterator[str]:
    faults = {one.case.subject.name for one in report.results if one.case.fault is not None}
    shown = [one for one in report.timelines if one.subject in faults]
    if not shown:
        return
    yield (
        "<h2>The upgrade's timeline</h2><p>Each line is a run without a fault; each mark a "
        "statement at which a run was killed or cut off, coloured by its result.</p>"
    )
    for timeline in shown:
        yield _timeline(timeline, report)


def _timeline(timeline: Timeline, report: Report) -> str:
    at: dict[int, list[Result]] = {}
    for result in report.results:
        fault = result.case.fault
        if fault is not None and result.case.subject.name == timeline.subject:
            at.setdefault(fault.at.number, []).append(result)
    marks: list[str] = []
    for number, results in sorted(at.items()):
        worst = next(one for one in _WORST if any(result.outcome == one for result in results))
        place = 100 * timeline.moments.get(number, 0.0) / max(timeline.seconds, 0.001)
        case = results[0].case
        text = f"{number}: {case.fault.text if case.fault else ''} ({worst})"
        style = f"left:{min(place, 99.5):.1f}%"
        marks.append(f'<span class={worst} style="{style}" title="{_text(text)}"></span>')
    return (
        f"<div>{_text(timeline.subject)}, {timeline.seconds:.1f} s, "
        f"{len(timeline.moments)} statements</div><div class=line>{''.join(marks)}</div>"
    )


def _cases(report: Report) -> Iterator[str]:
    found = cells(report)
    if not found:
        return
    yield "<h2>Cases</h2>"
    for (subject, kind), results in found.items():
        rows = "".join(_row(result) for result in results)
        yield (
            f"<details><summary>{_text(subject)}/{kind}: {_text(cell_text(results))}</summary>"
            f"<div class=wide><table><tbody>{rows}</tbody></table></div></details>"
        )


def _row(result: Result) -> str:
    told = "; ".join([result.fault, *result.notes]).strip("; ")
    return (
        f"<tr><td class={result.outcome}>{_SIGNS[result.outcome]} {result.outcome}</td>"
        f"<td><code>{_text(result.case.name)}</code></td><td>{_text(told)}</td>"
        f"<td>{result.seconds:.1f} s</td></tr>"
    )


def _notes(report: Report) -> Iterator[str]:
    notes = notes_of(report)
    if notes:
        yield f"<h2>Notes</h2><ul>{''.join(f'<li>{_text(note)}</li>' for note in notes)}</ul>"
