"""Report to programs: one JSON object. docs/reference/json-output.md describes it."""

import re
from dataclasses import replace
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
from surefoot.model import answers
from surefoot.model.outcome import Outcome
from surefoot.model.target import Target
from surefoot.preflight.losses import PendingLoss
from surefoot.project.config import Project
from surefoot.report.place import next_in_place
from surefoot.run.steps import handler

SCHEMA_VERSION = 1
_FIELD = re.compile(r"[a-z_]+")


def answer(command: str, given: answers.Plan | answers.Outcome) -> str:
    """Encode the answer of `status`, `plan` or `up` as one object on one line."""
    parts = builtins(given)
    return encode(command, ExitCode(parts.pop("exit_code")), **parts)


def builtins(value: Any) -> Any:
    """Convert a value to JSON's types: dictionaries, lists, strings, numbers."""
    return msgspec.to_builtins(value)


def encode(command: str, exit_code: ExitCode, **parts: Any) -> str:
    """Encode one object on one line: the keys that all commands share, and the command's own.

    Its strings contain no password, and no unescaped control or bidirectional characters, so a log
    or a terminal can print the object.
    """
    whole = {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "exit_code": int(exit_code),
        **_without_secrets(builtins(parts)),
    }
    try:
        return escaped(msgspec.json.encode(whole).decode())
    except UnicodeEncodeError:  # bytes of an argument that aren't text: escaped as in Python
        import json

        return json.dumps(whole)


def line(value: Any) -> str:
    """Encode any value on one line, with passwords masked and everything escaped."""
    return escaped(msgspec.json.encode(_without_secrets(value)).decode())


def _without_secrets(part: Any) -> Any:
    """Mask every string of a value. Masking the JSON text itself could break its syntax."""
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
    """Mask a key unless it is a field's own name; tables' names, for example, may be keys."""
    return key if _FIELD.fullmatch(key) else hidden(key)


def database(target: Target, facts: Facts | None) -> answers.Address:
    """Return which database was used. Never contains a password."""
    if facts is None:
        return answers.Address(address=target.label, source=target.source)
    server = facts.database.server
    return answers.Database(
        address=target.label,
        source=target.source,
        name=server.database,
        role=server.role,
        server_version=server.version_text.split(" ")[0],
        current=facts.database.rows,
        heads=facts.code.history.heads,
        beside=tuple(
            answers.Beside(schema=one.schema, objects=one.objects, histories=one.histories)
            for one in facts.database.beside
        ),
    )


def plan(code: ExitCode, target: Target, facts: Facts, decided: Decision) -> answers.Plan:
    """Return the answer of `plan`."""
    return answers.Plan(**_looked(code, target, facts, decided))


def status(
    code: ExitCode, target: Target, facts: Facts, decided: Decision, found: Project, catalogue: Path
) -> answers.Status:
    """Return the answer of `status`: like `plan`, with the version, the files and the settings."""
    return answers.Status(
        surefoot=__version__,
        configuration=str(found.file) if found.file else None,
        catalogue_file=str(catalogue),
        settings=tuple(
            answers.Setting(key=key, value=value, source=source)
            for key, value, source in found.settings
        ),
        **_looked(code, target, facts, decided),
    )


def _looked(code: ExitCode, target: Target, facts: Facts, decided: Decision) -> dict[str, Any]:
    return {
        "exit_code": int(code),
        "database": database(target, facts),
        "structure": structure(facts),
        **decision(decided),
    }


def finding(found: Finding) -> answers.Finding:
    """Return a finding with its exit code."""
    return answers.Finding(
        code=found.code,
        message=found.message,
        seen=found.seen,
        database=found.database,
        next=next_in_place(with_arguments(found.next)),
        exit_code=int(found.exit_code),
    )


def stand(held: Match) -> answers.Match:
    """Return a comparison of a structure with a revision."""
    return answers.Match(
        revisions=held.rows,
        matching=held.matching,
        differences=tuple(map(difference_json, held.differences)),
        cannot_tell=held.doubtful,
    )


def interruption(found: InterruptedRevision) -> answers.Interruption:
    """Return the parts of a revision that was left half-way."""
    return answers.Interruption(
        revision=found.revision,
        names=tuple(answers.Name(kind=n.kind, name=n.name, place=n.place) for n in found.names),
        beside=tuple(map(difference_json, found.beside)),
    )


def structure(facts: Facts) -> answers.Structure | None:
    """Return what the catalogue says about the structure, or what an earlier run saw.

    None if the database is empty.
    """
    catalogue, standing = facts.catalogue, facts.standing
    if facts.verified is not None:
        return answers.Structure(verified=verified(facts.verified))
    if catalogue is None:
        return None
    found = answers.Structure(
        catalogue=catalogue.condition, file=catalogue.file, why=tuple(catalogue.why)
    )
    if standing is None:
        return found
    broken_off = facts.interruption
    return replace(
        found,
        facts=standing.facts,
        recorded=None if standing.recorded is None else stand(standing.recorded),
        exact=tuple(map(stand, standing.exact)),
        nearest=tuple(map(stand, standing.nearest)),
        chosen=None if standing.chosen is None else standing.chosen.rows,
        by=standing.by or None,
        foreign=standing.foreign,
        own=standing.own_objects,
        accepted=tuple(map(difference_json, standing.accepted)),
        vetoed=standing.vetoed,
        promise=None if standing.promise is None else promise(standing.promise),
        interruption=None if broken_off is None else interruption(broken_off),
        probes=tuple(
            answers.Probe(revision=p.revision, answer=p.answer, error=p.error or None)
            for p in standing.probes
        ),
    )


def verified(mark: Mark) -> answers.Verified:
    """Return the end of an earlier run that is still valid: what it relies on hasn't changed."""
    evidence = mark.evidence
    return answers.Verified(
        checked=evidence is not None and evidence.structure == "verified",
        run=mark.run,
        at=f"{mark.at.replace(' ', 'T')}Z",
        differences=evidence.differences if evidence else 0,
        not_quick=evidence.not_quick if evidence else None,
    )


def promise(kept: Promise) -> answers.Promise:
    """Return what the structure lacks of head's promise, and which differences are harmless."""
    return answers.Promise(
        broken=tuple(map(_issue, kept.broken)),
        harmless=tuple(map(_issue, kept.harmless)),
        sql=kept.back.statements,
    )


def _issue(one: Issue) -> answers.Issue:
    return answers.Issue(
        kind=one.kind,
        name=one.name,
        expected=one.expected,
        found=one.found,
        why=one.why,
        revision=one.by or None,
    )


def decision(decided: Decision) -> dict[str, Any]:
    """Return the parts of a Plan that state the decision."""
    ready = decided.plan if isinstance(decided, Ready) else None
    return {
        "state": decided.state.value,
        "plan": tuple(handler(step).as_json(step) for step in ready.steps) if ready else (),
        "losses": tuple(map(loss, ready.losses)) if ready else (),
        "one_way": tuple(answers.OneWay(revision=id, why=why) for id, why in ready.one_way)
        if ready
        else (),
        "remarks": _remarks(decided),
        "findings": tuple(map(finding, decided.findings)) if isinstance(decided, Refused) else (),
    }


def loss(one: PendingLoss) -> answers.Loss:
    """Return what a pending revision destroys, and in how many rows."""
    return answers.Loss(
        kind=one.loss.kind,
        name=one.loss.name,
        detail=one.loss.detail,
        revision=one.revision,
        rows=one.rows,
        estimated=one.estimated,
    )


def _remarks(decided: Decision) -> tuple[str, ...]:
    match decided:
        case Ready(plan=plan):
            return plan.remarks
        case NothingToDo(remarks=remarks):
            return remarks
        case Refused():
            return ()


def outcome(code: ExitCode, target: Target, ended: Outcome) -> answers.Outcome:
    """Return how a run of `up` ended."""
    return answers.Outcome(
        exit_code=int(code),
        database=database(target, None),
        state=ended.state.value if ended.state else None,
        current=ended.rows,
        done=tuple(
            answers.Done(step=d.kind, name=d.name, seconds=round(d.seconds, 3)) for d in ended.done
        ),
        remarks=ended.remarks,
        findings=tuple(map(finding, ended.findings)),
        backup=ended.backup,
        seconds=round(ended.seconds, 3),
    )
