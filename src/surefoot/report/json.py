"""The account for programs: one JSON object. docs/reference/json-output.md describes it."""

import re
from pathlib import Path
from typing import Any, cast

import msgspec

from surefoot import __version__
from surefoot.catalogue.differences import difference_json
from surefoot.catalogue.match import Issue, Match, Promise
from surefoot.decision.decide import Decision, NothingToDo, Ready, Refused
from surefoot.decision.facts import Facts, Mark
from surefoot.errors import ExitCode, Finding
from surefoot.errors.masking import hidden
from surefoot.errors.printable import escaped
from surefoot.errors.steps import with_arguments
from surefoot.interrupted.interruption import InterruptedRevision
from surefoot.model.outcome import Outcome
from surefoot.model.target import Target
from surefoot.preflight.losses import PendingLoss
from surefoot.project.config import Project
from surefoot.report.place import next_in_place
from surefoot.run.steps import handler

SCHEMA_VERSION = 1
_FIELD = re.compile(r"[a-z_]+")


def encode(command: str, exit_code: ExitCode, **parts: Any) -> str:
    """One object, on one line: what every command has in common, and its own parts.

    No password is in its texts, and no control character or bidirectional control stands there
    unescaped: a log or a terminal may print the object.
    """
    whole = {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "exit_code": int(exit_code),
        **_without_secrets(parts),
    }
    try:
        return escaped(msgspec.json.encode(whole).decode())
    except UnicodeEncodeError:  # bytes of an argument that are no text: escaped, as Python has them
        import json

        return json.dumps(whole)


def line(value: Any) -> str:
    """Any value, on one line, without passwords and with nothing unescaped."""
    return escaped(msgspec.json.encode(_without_secrets(value)).decode())


def _without_secrets(part: Any) -> Any:
    """The same with every text masked. Masking the JSON itself could take its syntax away."""
    match part:
        case str():
            return hidden(part)
        case dict():
            found = cast("dict[str, Any]", part)
            return {_key(key): _without_secrets(value) for key, value in found.items()}
        case list() | tuple():
            return [_without_secrets(one) for one in cast("list[Any]", part)]
        case _:
            return part


def _key(key: str) -> str:
    """The fields' own names are no texts; the names of tables, say, are."""
    return key if _FIELD.fullmatch(key) else hidden(key)


def database(target: Target, facts: Facts | None) -> dict[str, Any]:
    """Which database. Never holds a password."""
    found: dict[str, Any] = {"address": target.label, "source": target.source}
    if facts is not None:
        server = facts.database.server
        found |= {
            "name": server.database,
            "role": server.role,
            "server_version": server.version_text.split(" ")[0],
            "current": list(facts.database.rows),
            "heads": list(facts.code.history.heads),
            "beside": [
                {"schema": one.schema, "objects": one.objects, "histories": list(one.histories)}
                for one in facts.database.beside
            ],
        }
    return found


def project(found: Project, catalogue: Path) -> dict[str, Any]:
    """The release of surefoot, its files, and each setting that isn't the default's."""
    return {
        "surefoot": __version__,
        "configuration": str(found.file) if found.file else None,
        "catalogue_file": str(catalogue),
        "settings": [
            {"key": key, "value": value, "source": source} for key, value, source in found.settings
        ],
    }


def finding(found: Finding) -> dict[str, Any]:
    """A finding, with the exit code that it stands for."""
    return {
        "code": found.code,
        "message": found.message,
        "seen": list(found.seen),
        "database": found.database,
        "next": next_in_place(with_arguments(found.next)),
        "exit_code": int(found.exit_code),
    }


def stand(held: Match) -> dict[str, Any]:
    """A structure held against a revision."""
    return {
        "revisions": list(held.rows),
        "matching": held.matching,
        "differences": [difference_json(d) for d in held.differences],
        "cannot_tell": list(held.doubtful),
    }


def interruption(found: InterruptedRevision) -> dict[str, Any]:
    """What is there of a revision that was left half-way."""
    return {
        "revision": found.revision,
        "names": [{"kind": n.kind, "name": n.name, "place": n.place} for n in found.names],
        "beside": [difference_json(d) for d in found.beside],
    }


def structure(facts: Facts) -> dict[str, Any] | None:
    """What the catalogue says of the structure, or what an earlier run saw of it; null where the
    database is empty.
    """
    catalogue, standing = facts.catalogue, facts.standing
    if facts.verified is not None:
        return {"verified": verified(facts.verified)}
    if catalogue is None:
        return None
    found: dict[str, Any] = {
        "verified": None,
        "catalogue": catalogue.condition,
        "file": catalogue.file,
    }
    if catalogue.why:
        found["why"] = list(catalogue.why)
    if standing is not None:
        found |= {
            "facts": standing.facts,
            "recorded": None if standing.recorded is None else stand(standing.recorded),
            "exact": [stand(s) for s in standing.exact],
            "nearest": [stand(s) for s in standing.nearest],
            "chosen": None if standing.chosen is None else list(standing.chosen.rows),
            "by": standing.by or None,
            "foreign": standing.foreign,
            "own": list(standing.own_objects),
            "accepted": [difference_json(d) for d in standing.accepted],
            "vetoed": list(standing.vetoed),
            "promise": None if standing.promise is None else promise(standing.promise),
            "interruption": None
            if facts.interruption is None
            else interruption(facts.interruption),
            "probes": [
                {"revision": p.revision, "answer": p.answer, "error": p.error or None}
                for p in standing.probes
            ],
        }
    return found


def verified(mark: Mark) -> dict[str, Any]:
    """The end of an earlier run that still counts: nothing that it rests on has changed."""
    evidence = mark.evidence
    checked = evidence is not None and evidence.structure == "verified"
    return {
        "checked": checked,
        "run": mark.run,
        "at": f"{mark.at.replace(' ', 'T')}Z",
        "differences": evidence.differences if evidence else 0,
        "not_quick": evidence.not_quick if evidence else None,
    }


def promise(kept: Promise) -> dict[str, Any]:
    """What the structure lacks of head's promise, and what differs and stops nobody."""
    return {
        "broken": [_breach(b) for b in kept.broken],
        "harmless": [_breach(b) for b in kept.harmless],
        "sql": list(kept.back.statements),
    }


def _breach(one: Issue) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "name": one.name,
        "expected": one.expected,
        "found": one.found,
        "why": one.why,
        "revision": one.by or None,
    }


def decision(decided: Decision) -> dict[str, Any]:
    """What a look led to."""
    return {
        "state": decided.state.value,
        "plan": [handler(step).as_json(step) for step in decided.plan.steps]
        if isinstance(decided, Ready)
        else [],
        "losses": [loss(one) for one in decided.plan.losses] if isinstance(decided, Ready) else [],
        "one_way": [{"revision": id, "why": why} for id, why in decided.plan.one_way]
        if isinstance(decided, Ready)
        else [],
        "remarks": list(_remarks(decided)),
        "findings": [finding(f) for f in decided.findings] if isinstance(decided, Refused) else [],
    }


def loss(one: PendingLoss) -> dict[str, Any]:
    """What a pending revision destroys, and of how many rows."""
    return {
        "kind": one.loss.kind,
        "name": one.loss.name,
        "detail": one.loss.detail,
        "revision": one.revision,
        "rows": one.rows,
        "estimated": one.estimated,
    }


def _remarks(decided: Decision) -> tuple[str, ...]:
    match decided:
        case Ready(plan=plan):
            return plan.remarks
        case NothingToDo(remarks=remarks):
            return remarks
        case Refused():
            return ()


def outcome(ended: Outcome) -> dict[str, Any]:
    """How a run of `up` ended."""
    return {
        "state": ended.state.value if ended.state else None,
        "current": None if ended.rows is None else list(ended.rows),
        "done": [
            {"step": d.kind, "name": d.name, "seconds": round(d.seconds, 3)} for d in ended.done
        ],
        "remarks": list(ended.remarks),
        "findings": [finding(f) for f in ended.findings],
        "backup": ended.backup,
        "seconds": round(ended.seconds, 3),
    }
