"""Backups, for people and for programs."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from surefoot.backups.mark import SetAsideDatabase
from surefoot.backups.room import size_text
from surefoot.backups.sidecar import Sidecar
from surefoot.errors.steps import to_type
from surefoot.errors.wording import count
from surefoot.model.target import Target
from surefoot.report.terminal import Terminal, labelled
from surefoot.report.text import next_lines


class _Taken(Protocol):
    @property
    def file(self) -> Path: ...
    @property
    def sidecar(self) -> Sidecar: ...
    @property
    def removed(self) -> tuple[str, ...]: ...
    @property
    def others(self) -> tuple[str, ...]: ...


class _Kept(Protocol):
    @property
    def file(self) -> Path: ...
    @property
    def bytes(self) -> int: ...
    @property
    def sidecar(self) -> Sidecar | None: ...
    @property
    def problem(self) -> str | None: ...
    @property
    def foreign(self) -> str | None: ...


def shown(file: Path) -> str:
    """Return a path as a person would write it here, never one that looks like an option."""
    try:
        path = str(file.relative_to(Path.cwd()))
    except ValueError:
        return str(file)
    return f"./{path}" if path.startswith("-") else path


def taken_lines(terminal: Terminal, taken: _Taken) -> list[str]:
    """Return the last lines of `surefoot backup`."""
    sidecar = taken.sidecar
    texts = [
        f"{shown(taken.file)}, {size_text(taken.file.stat().st_size)}",
        f"of {sidecar.database} at {_where(sidecar)}; verified with pg_restore --list",
    ]
    if taken.others:
        texts.append(f"it also holds other applications: {', '.join(taken.others)}")
    lines = ["", *labelled(terminal, "backup", *texts)]
    if taken.removed:
        lines += labelled(terminal, "removed", *taken.removed)
    file = shlex.quote(shown(taken.file))
    return lines + next_lines(terminal, to_type("to go back", f"surefoot restore {file}"))


def taken_json(taken: _Taken) -> dict[str, Any]:
    """Return the result of `surefoot backup` as JSON."""
    return {
        "file": str(taken.file),
        "backup": sidecar_json(taken.sidecar),
        "removed": list(taken.removed),
        "others": list(taken.others),
    }


def backups_lines(
    terminal: Terminal,
    directory: Path,
    backups: Sequence[_Kept],
    beside: Sequence[SetAsideDatabase] | None,
    why_not: str,
) -> list[str]:
    """Return the lines of `surefoot backups`. `beside` is None if the server wasn't asked."""
    total = sum(one.bytes for one in backups)
    text = f"{count(len(backups), 'backup')} in {shown(directory)}"
    lines = labelled(terminal, "backups", f"{text}, {size_text(total)}" if backups else text)
    for one in backups:
        lines += ["", *(f"  {terminal.cut(text, terminal.width - 2)}" for text in _kept_texts(one))]
    if beside is None:
        return [*lines, "", *labelled(terminal, "server", f"not asked for databases: {why_not}")]
    if beside:
        lines += ["", *labelled(terminal, "databases", *map(beside_text, beside))]
        lines += labelled(terminal, "next", "surefoot restore --drop-old drops these databases")
    return lines


def _kept_texts(one: _Kept) -> Iterable[str]:
    yield f"{one.file.name}  {size_text(one.bytes)}"
    if one.problem is not None:
        yield f"    problem: {one.problem}"
    if one.foreign is not None:
        yield f"    not surefoot's alone: {one.foreign}"
    if one.sidecar is not None:
        taken = _taken_at(one.sidecar)
        yield f"    {one.sidecar.database} at {_where(one.sidecar)}, {taken}, {_why(one.sidecar)}"


def beside_text(one: SetAsideDatabase) -> str:
    """Describe a database that a restore has made or set aside."""
    size = f", {size_text(one.bytes)}" if one.bytes is not None else ""
    what = {
        "restoring": f"incomplete, from {one.mark.file}",
        "restored": f"made from {one.mark.file}, not yet swapped in",
        "kept": f"{one.mark.database} before the restore of {one.mark.file}",
    }[one.mark.state]
    return f"{one.name}: {what}{size}"


class _Intended(Protocol):
    @property
    def kept(self) -> _Kept: ...
    @property
    def sidecar(self) -> Sidecar | None: ...
    @property
    def database(self) -> str: ...
    @property
    def new(self) -> str: ...
    @property
    def old(self) -> str: ...
    @property
    def sessions(self) -> tuple[str, ...]: ...
    @property
    def owners(self) -> bool: ...
    @property
    def elsewhere(self) -> bool: ...
    @property
    def others(self) -> tuple[str, ...]: ...
    @property
    def slots(self) -> tuple[str, ...]: ...


class _Restored(Protocol):
    @property
    def database(self) -> str: ...
    @property
    def rows(self) -> tuple[str | None, ...]: ...
    @property
    def old(self) -> str | None: ...
    @property
    def changed(self) -> bool: ...


def intended_lines(terminal: Terminal, target: Target, intended: _Intended) -> list[str]:
    """Return the lines that `surefoot restore` shows before it asks."""
    sidecar = intended.sidecar
    told = "of unknown content: the sidecar is ignored"
    if sidecar is not None:
        told = f"of {sidecar.database} at {_where(sidecar)}, {_taken_at(sidecar)}"
    plan = [
        f"restore it into a new database, {intended.new}",
        "verify that against the sidecar: version rows, structure, rows of the largest tables"
        if sidecar is not None
        else "nothing can be verified except that pg_restore reports no error",
        f"swap: {intended.database} becomes {intended.old}, {intended.new} becomes "
        f"{intended.database}; PostgreSQL waits up to 5 seconds for others to leave the databases",
        *([] if intended.owners else ["owners and grants of the backup are left out"]),
    ]
    lines = labelled(terminal, "database", f"{target.label} (address from {target.source})")
    size = size_text(intended.kept.bytes)
    texts = [f"{shown(intended.kept.file)}, {size}", told]
    if sidecar is not None and intended.elsewhere:
        texts.append(
            "made on another server, or before a pg_upgrade of this one: check that it is the "
            f"{sidecar.database} that you mean"
        )
    lines += labelled(terminal, "backup", *texts)
    lines += labelled(terminal, "plan", *plan)
    if intended.sessions:
        lines += labelled(terminal, "cut off", *intended.sessions)
    notes = [f"rows written to {intended.database} since the backup are only in {intended.old}"]
    if intended.others:
        notes.append(f"this is restored, too, and belongs to others: {', '.join(intended.others)}")
    if intended.slots:
        notes.append(
            f"{', '.join(intended.slots)}: logical replication slots, which stay with "
            f"{intended.old}. They keep the server's log until they are dropped; their readers "
            f"need new ones in {intended.database}"
        )
    if sidecar is not None:
        notes.append(
            f"the database will be at {_where(sidecar)}: a newer image that runs surefoot up "
            "upgrades it again; to stay there, start the image that the backup was made with"
        )
    return [*lines, *labelled(terminal, "note", *notes), ""]


def restored_lines(terminal: Terminal, kept: _Kept, restored: _Restored) -> list[str]:
    """Return the last lines of `surefoot restore`."""
    rows = ", ".join(str(row) for row in restored.rows) or "no revision"
    if not restored.changed:
        return [
            *labelled(
                terminal,
                "now",
                f"{restored.database} is at {rows}: {kept.file.name} was restored by an earlier "
                "start, which was cut off before it could report it; nothing to do",
            ),
            *labelled(terminal, "kept", f"the former database, as {restored.old}"),
            *labelled(terminal, "next", "to restore it once more, run the same command again"),
        ]
    return [
        "",
        *labelled(terminal, "now", f"{restored.database} is at {rows}, as in {kept.file.name}"),
        *labelled(terminal, "kept", f"the former database, as {restored.old}"),
        *labelled(terminal, "next", "when all is well, drop it: surefoot restore --drop-old"),
    ]


def restored_json(restored: _Restored) -> dict[str, Any]:
    """Return the result of `surefoot restore` as JSON."""
    return {
        "current": list(restored.rows),
        "changed": restored.changed,
        "old": restored.old,
    }


def _taken_at(sidecar: Sidecar) -> str:
    return f"{sidecar.taken_at:%Y-%m-%d %H:%M:%S UTC}"


def _where(sidecar: Sidecar) -> str:
    release = f" ({sidecar.release})" if sidecar.release else ""
    return f"{sidecar.revision}{release}"


def _why(sidecar: Sidecar) -> str:
    ends = {
        "begun": "before an upgrade that was cut off",
        "failed": "before an upgrade that failed",
        "succeeded": "before an upgrade that succeeded",
    }
    return ends[sidecar.upgrade] if sidecar.upgrade else "on request"


def sidecar_json(sidecar: Sidecar) -> dict[str, Any]:
    """Return the parts of a sidecar that are reported; the file has more."""
    return {
        "name": sidecar.database,
        "current": list(sidecar.contents.version_rows),
        "release": sidecar.release,
        "taken_at": sidecar.taken_at.isoformat(),
        "reason": sidecar.reason,
        "upgrade": sidecar.upgrade,
        "bytes": sidecar.bytes,
        "sha256": sidecar.sha256,
        "sequence": sidecar.sequence,
        "tables": {str(one): one.rows for one in sidecar.contents.tables},
    }


def backups_json(
    directory: Path, backups: Sequence[_Kept], beside: Sequence[SetAsideDatabase] | None
) -> dict[str, Any]:
    """`surefoot backups --json`."""
    return {
        "directory": str(directory),
        "backups": [
            {
                "file": str(one.file),
                "bytes": one.bytes,
                "backup": None if one.sidecar is None else sidecar_json(one.sidecar),
                "problem": one.problem,
                "foreign": one.foreign,
            }
            for one in backups
        ],
        "databases": None if beside is None else [beside_json(one) for one in beside],
    }


def beside_json(one: SetAsideDatabase) -> dict[str, Any]:
    """Return a database that a restore has made or set aside, as JSON."""
    return {
        "name": one.name,
        "state": one.mark.state,
        "of": one.mark.database,
        "file": one.mark.file,
        "bytes": one.bytes,
    }
