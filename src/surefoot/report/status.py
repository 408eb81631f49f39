"""Report where a database stands, for people."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from msgspec import to_builtins

from surefoot import __version__
from surefoot.decision.decide import Decision, NothingToDo, Ready, Refused
from surefoot.decision.facts import Facts, Mark
from surefoot.errors.steps import with_arguments
from surefoot.errors.wording import MOST
from surefoot.model.history import History
from surefoot.model.target import Target
from surefoot.project.config import Project
from surefoot.report.plan import step_lines
from surefoot.report.terminal import Terminal, labelled, uncut
from surefoot.report.text import (
    count,
    database_text,
    finding_lines,
    structure_texts,
)


def project_lines(terminal: Terminal, project: Project, catalogue: Path) -> list[str]:
    """Return the version of surefoot, its files, and where each setting comes from.

    A file's path is never broken, whatever the width.
    """
    missing = "" if os.path.lexists(catalogue) else " (missing)"
    lines = [
        *labelled(terminal, "surefoot", __version__),
        *uncut(terminal, "config", str(project.file or "no file")),
        *uncut(terminal, "catalogue", f"{catalogue}{missing}"),
    ]
    texts = [f"{key} = {_toml(value)}, from {source}" for key, value, source in project.settings]
    rest = "every other key has its default" if texts else "every key has its default"
    return lines + labelled(terminal, "settings", *texts, rest)


def _toml(value: object) -> str:
    """Return a value as it is written in the configuration file."""
    return json.dumps(to_builtins(value), ensure_ascii=False)


def status_lines(
    terminal: Terminal,
    target: Target,
    facts: Facts,
    decision: Decision,
    project: Project,
    catalogue: Path,
) -> list[str]:
    """Return the lines of `surefoot status`."""
    history = facts.code.history
    rows = _with_releases(history, facts.database.rows)
    state = decision.state
    lines = [
        *labelled(terminal, "database", database_text(target, facts)),
        *labelled(terminal, "role", facts.database.server.role),
        *labelled(terminal, "state", f"{state.value}: {state.row.means}"),
        *labelled(terminal, "current", rows or "none recorded"),
        *labelled(
            terminal,
            "head",
            f"{_with_releases(history, history.heads)} "
            f"({count(len(history.revisions), 'revision')} in the code)",
        ),
    ]
    texts = structure_texts(facts)
    if facts.verified is not None:
        texts = verified_texts(facts.verified)
    if texts:
        lines += labelled(terminal, "structure", *texts)
    lines += project_lines(terminal, project, catalogue)
    if isinstance(decision, Ready):
        lines += labelled(terminal, "pending", *step_lines(decision.plan))
        if decision.plan.remarks:
            lines += labelled(terminal, "remarks", *decision.plan.remarks)
        next = with_arguments("surefoot plan shows the steps, surefoot up runs them")
        lines += labelled(terminal, "next", next)
    if isinstance(decision, NothingToDo) and decision.remarks:
        lines += labelled(terminal, "warning", *decision.remarks)
    if isinstance(decision, Refused):
        lines += refusal_lines(terminal, decision)
    return lines


def _with_releases(history: History, rows: Iterable[str | None]) -> str:
    """Return revisions, each with the release that its file names."""
    found: list[str] = []
    for row in map(str, rows):
        release = history.revisions[row].release if row in history.revisions else None
        found.append(f"{row}, release {release}" if release else row)
    more = f" and {len(found) - MOST:,} more" if len(found) > MOST else ""
    return "; ".join(found[:MOST]) + more


def verified_texts(mark: Mark) -> list[str]:
    """Say when an earlier run verified the structure, if that is still valid; or that none did."""
    evidence, by = mark.evidence, f"by run {mark.run}, {mark.at} UTC"
    why = evidence.not_quick if evidence is not None else None
    slow = [] if why is None else [f"not quick because {why}: each start takes the thorough look"]
    if evidence is None or evidence.structure == "unchecked":
        return [f"not verified: there is no catalogue; the version rows were read {by}", *slow]
    differing = ""
    if evidence.differences:
        number = count(evidence.differences, "difference")
        differing = f", with {number}: surefoot drift lists them"
    return [f"verified {by}{differing}; no DDL since", *slow]


def refusal_lines(terminal: Terminal, decision: Refused) -> list[str]:
    """Return every finding of a refusal, each after an empty line."""
    return [
        line for finding in decision.findings for line in ("", *finding_lines(terminal, finding))
    ]
