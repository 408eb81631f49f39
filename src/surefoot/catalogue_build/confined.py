"""Confine the process of a replay, and report what its code was prevented from reaching."""

import os
from collections.abc import Callable
from typing import Any

import psycopg

from surefoot.catalogue_build.confinement.drivers import confine_drivers
from surefoot.catalogue_build.confinement.gate import IDENTITY, Elsewhere, Gate, Kind, Refusal
from surefoot.catalogue_build.confinement.system import confine_system
from surefoot.errors import Finding, SurefootError
from surefoot.model.target import Target, environment
from surefoot.project.config import Project
from surefoot.project.locate import LIBPQ_PARAMETERS

UNTOUCHED = "It was refused before it began; only a scratch database was changed."


class Refusals:
    """What was refused, each thing once, and which revision was running."""

    def __init__(self, report: Callable[[str, Refusal], None]) -> None:
        self.revision = ""  # the current one; "": none has begun
        self._report = report
        self._found: dict[tuple[str, Refusal], None] = {}

    def note(self, refusal: Refusal) -> None:
        """Note a refusal once for each revision: a client may try again and again."""
        if (self.revision, refusal) not in self._found:
            self._found[self.revision, refusal] = None
            self._report(self.revision, refusal)

    def of(self, revision: str) -> tuple[Refusal, ...]:
        """Return what was refused while this revision ran."""
        return tuple(refusal for run, refusal in self._found if run == revision)


def confine(
    project: Project,
    target: Target,
    connection: psycopg.Connection[Any],
    refusals: Refusals,
    *,
    whole_server: bool,
) -> Gate:
    """Restrict this process to the scratch server, from here on until it ends.

    `connection` is surefoot's own, to the scratch database.
    """
    row = connection.execute(IDENTITY).fetchone()
    assert row is not None
    gate = Gate(
        target,
        (row[0], row[1]),
        whole_server=whole_server,
        hosts=tuple(project.config.build_hosts),
        programs=tuple(project.config.build_programs),
        refused=refusals.note,
    )
    _forget_other_addresses(target)
    confine_drivers(gate)
    confine_system(gate)
    return gate


def _forget_other_addresses(target: Target) -> None:
    """Remove libpq's variables that would lead elsewhere, and surefoot's own.

    The names that the application reads are set when its environment is made. A password that the
    address doesn't contain stays: it is the scratch server's.
    """
    ours = environment(target)
    for name in LIBPQ_PARAMETERS:
        if name not in ours and name != "PGPASSWORD":
            os.environ.pop(name, None)
    os.environ.update(ours)
    os.environ["SUREFOOT_DATABASE_URL"] = target.url()
    os.environ.pop("SUREFOOT_DATABASE_URL_FILE", None)


def is_refusal(error: BaseException | None) -> bool:
    """Whether an exception comes from a refused connection, even if it was converted."""
    if isinstance(error, SurefootError) and Elsewhere.SAID in "\n".join(error.finding.seen):
        return True
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, Elsewhere) or Elsewhere.SAID in str(error):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def finding(gate: Gate, refused: tuple[Refusal, ...], who: str, where: str) -> Finding:
    """Return the reason why a refused connection ended the replay."""
    kinds: set[Kind] = {one.kind for one in refused}
    steps: list[str] = []
    if "database" in kinds:
        steps.append(
            "use op.get_bind(), the connection that Alembic provides; if another variable has the "
            "address of the application's own database, name it under [url_variables] in "
            "surefoot.toml, so that the replay sets it"
        )
    settings = [one.setting for one in refused if one.setting]
    if settings:
        steps.append(
            "if a replay may do this without harm, allow it in surefoot.toml: "
            + "; ".join(_joined(settings))
        )
    elif "database" not in kinds:
        steps.append("change the revision so that it doesn't need it")
    return Finding(
        "replay-leaves-scratch-server",
        f"{who} tried to reach something other than the scratch server.",
        (
            *([f"at {where}"] if where else []),
            *(f"refused: {one.what}" for one in refused),
            f"the scratch database is {gate.scratch}",
        ),
        UNTOUCHED,
        "; or ".join(steps),
    )


def _joined(settings: list[str]) -> list[str]:
    """Return one line for each key, with all of its values."""
    found: dict[str, list[str]] = {}
    for setting in dict.fromkeys(settings):
        key, _, values = setting.partition(" = ")
        found.setdefault(key, []).append(values.removeprefix("[").removesuffix("]"))
    return [f"{key} = [{', '.join(values)}]" for key, values in found.items()]


def in_words(refusal: Refusal) -> str:
    """Return a line for the build's output if the application continued without it."""
    allow = f" (to allow it: {refusal.setting} in surefoot.toml)" if refusal.setting else ""
    return f"{refusal.what}{allow}"


def untried(refused: tuple[Refusal, ...]) -> str:
    """Return why a downgrade that reached elsewhere could not be tested."""
    return "it tries to reach something other than the scratch server" if refused else ""
