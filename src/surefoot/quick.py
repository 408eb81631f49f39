"""Decide whether there is nothing to do, without loading what an upgrade needs.

Every start begins with this question. The answer is yes only if an earlier run took the thorough
look, saw head, and wrote a mark into the journal, and if everything that the mark relies on is
unchanged: the project's files, the version rows, this database, its structure. Otherwise it raises
Unsettled, and the thorough look follows.

This module and those that it imports need the standard library only.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from surefoot import __version__
from surefoot.model.target import Target
from surefoot.postgres.libpq import Connection, Row, Unseen, Unsettled
from surefoot.project.locate import (
    FILE_NAME,
    PREFIX,
    configuration_file,
    locate,
    variables,
    version_table_of,
)
from surefoot.project.manifest import digest
from surefoot.sql import VERSION_ROWS, ask_owners, ids_of, query
from surefoot.system.files import read_file

# The journal's rows of runs after which nothing had to be done.
ENDED_WELL = ("reached", "unchecked")

# The remark if an approval was given and no plan needed it.
APPROVAL_LEFT = "SUREFOOT_APPROVE is set, but approves nothing now: remove it"

_PATIENCE = 10.0  # seconds for all of it; a slower server gets the thorough look
# No waiting for locks here, on the version table for example.
_LIMITS = "set local lock_timeout = '100ms'; set local statement_timeout = '10s'"


class Settled(NamedTuple):
    """There is nothing to do: the database is at this code's head."""

    target: Target
    rows: tuple[str, ...]
    remarks: tuple[str, ...]


class Place(NamedTuple):
    """The project's root, its configuration file's name, env.py's arguments from the command line.

    And the environment variables that set keys of the configuration. `tenant` is the one schema
    that counts, if the configuration has one for each tenant.
    """

    root: str
    config: str | None
    arguments: tuple[str, ...]
    variables: tuple[tuple[str, str], ...]
    tenant: str | None = None


def settled(
    config_file: str | None,
    url: str | None,
    environ: Mapping[str, str],
    directory: str,
    arguments: tuple[str, ...] = (),
    tenant: str | None = None,
    *,
    waits: bool = False,
) -> Settled:
    """Return whether there is nothing to do, by the options and the environment of a start.

    If it `waits`, it does so for a while if another start is at work on the database, and this
    process may have the turn afterwards (`postgres/turn.py`). Raises Unsettled, or other errors.
    """
    place = _place(config_file, directory, arguments, variables(environ))
    settings = _settings(place)
    target = locate(url, environ, None, settings.get("url_variables", {}))
    if target is None:
        settings = _settings(place, every=True)
        target = locate(None, {}, _ini_url(place, settings))
    if target is None:
        raise Unsettled("no database is named")
    table = settings.get("version_table", "alembic_version")
    schema = settings.get("version_table_schema")
    if tenant is not None:
        if not (tenant.isascii() and tenant.isidentifier() and tenant == tenant.lower()):
            raise Unsettled("it is no tenant's name")
        place = place._replace(tenant=tenant)
        table, schema = version_table_of(tenant, table, schema)
    found = look(place, target, table, schema, waits=waits)
    left = (APPROVAL_LEFT,) if environ.get("SUREFOOT_APPROVE", "").strip() else ()
    return found._replace(remarks=(*found.remarks, *left))


Digest = Callable[..., str]


class Identity(NamedTuple):
    """One database by what its server says: its start time, to the microsecond, and the oid."""

    started: str
    database: str


def look(
    place: Place,
    target: Target,
    table: str,
    schema: str | None,
    *,
    digest: Digest = digest,
    met: Callable[[Identity], None] = lambda _: None,
    waits: bool = False,
) -> Settled:
    """Take the quick look for a known project and address. Raises Unsettled.

    `waits`: it waits for another start that is at work.

    A caller that looks at many databases passes a `digest` that remembers the project's files, and
    `met`, which gets the database that was reached; what that raises ends the look.
    """
    try:
        return _connected(place, target, table, schema, digest, met, waits=waits)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Unsettled(f"{type(error).__name__}: {error}") from error


def _connected(
    place: Place,
    target: Target,
    table: str,
    schema: str | None,
    digest: Digest,
    met: Callable[[Identity], None],
    *,
    waits: bool,
) -> Settled:
    parameters = {**target.parameters, "client_encoding": "utf8"}
    # a name would stay on a pooled session (sql/unnamed.sql), and this one ends at once
    parameters.pop("application_name", None)
    connection = Connection(parameters, patience=_PATIENCE)
    kept, until = False, 0.0
    try:
        if "dbname" not in target.parameters:
            named = {**target.parameters, "dbname": connection.database}
            target = target._replace(parameters=named)
        target = target._replace(resolved={"password": connection.password})
        while True:
            try:
                return _looked(connection, place, target, table, schema, digest, met)
            except Unseen:
                if not waits:
                    raise
                from surefoot.postgres import turn

                until = until or turn.deadline()
                # after a wait, look again; if nobody is at work, take the turn
                kept = not turn.waited(connection, until) and turn.take(connection)
                if kept:
                    raise
    finally:
        if not kept:
            connection.close()


def _place(
    config_file: str | None,
    directory: str,
    arguments: tuple[str, ...],
    given: tuple[tuple[str, str], ...],
) -> Place:
    if config_file is None:
        return Place(directory, configuration_file(directory), arguments, given)
    file = os.path.join(directory, config_file)
    if not os.path.isfile(file):
        raise Unsettled("there is no such configuration")
    return Place(os.path.dirname(file), os.path.basename(file), arguments, given)


def _settings(place: Place, *, every: bool = False) -> dict[str, Any]:
    """Return the configuration with the environment's overrides, unchecked.

    A mark relies on the file and on the variables, and the run that wrote it checked them.
    """
    said = {name.removeprefix(PREFIX).lower(): value for name, value in place.variables}
    return _in_file(place, every=every) | said


def _in_file(place: Place, *, every: bool) -> dict[str, Any]:
    """Read the file; unless `every` setting is wanted, parse it only for the version table's."""
    if place.config is None:
        return {}
    text = read_file(os.path.join(place.root, place.config)).decode()
    wanted = every or "version_table" in text or "url_variables" in text
    if not wanted and "\\" not in text:  # no key is escaped
        return {}
    import tomllib

    document: dict[str, Any] = tomllib.loads(text)
    if place.config != FILE_NAME and "tool" in document:
        document = document["tool"].get("surefoot", {})
    return document


def _ini_url(place: Place, settings: Mapping[str, Any]) -> str | None:
    """Return the address in alembic.ini, the last place where one is looked for."""
    import configparser
    from pathlib import Path

    from surefoot.revision_source.ini import IniFile, candidates

    if settings.get("alembic_config") and not settings.get("alembic"):
        return None
    root, section = Path(place.root), settings.get("alembic_section", "alembic")
    for name in candidates(settings.get("alembic"), settings.get("flask_app")):
        if (root / name).is_file():
            try:
                return IniFile(root / name, section, root).get("sqlalchemy.url")
            except configparser.Error as error:
                raise Unsettled("alembic.ini can't be read") from error
    return None


def _looked(
    connection: Connection,
    place: Place,
    target: Target,
    table: str,
    schema: str | None,
    digest: Digest,
    met: Callable[[Identity], None],
) -> Settled:
    """Take one snapshot, in which only the server's own functions can be called (sql/look.sql)."""
    begun = ";".join(("begin", query("look"), _LIMITS, query("trusted")))
    first: Row = {}
    for row in connection.run(begun):
        first |= row
    names = {"table": table, "schema": schema}
    (seen,) = connection.ask(query("probe"), {**names, "path": first["path"]})
    _require_journal(seen)
    met(Identity(seen["server_started"] or "", seen["database_oid"] or ""))
    only = place.tenant
    asked = {
        "tables": _array([table]),
        "role": None,
        "trusted": first["trusted"],
        "only": schema if only is not None else None,
    }
    owners = ask_owners(lambda text: connection.ask(text, asked))
    version_table = _trusted(owners, table, seen["version_schema"])
    history = f"{seen['version_schema']}.{table}"
    marks = connection.ask(query("last_mark"), {"history": history})
    # the rows, the cluster's identity, and the seal, in one message
    questions = [VERSION_ROWS.format(version_table)]
    if seen["control_readable"] == "t":
        questions.append(query("control"))
    if only is not None:
        questions.append(query("seals").replace("%(only)s", f"'{only}'"))  # a name without quotes
    else:
        questions.append(query("seal"))
    last = connection.run(";".join((*questions, "commit")))
    rows = [row["id"] or "" for row in last if "id" in row]
    known: Row = {}
    for row in last:
        known |= row
    grounds = {**_grounds(seen), "seal": known.get("seal")}
    cluster = json.loads(known.get("control") or "{}")
    found = _by_marks(Settled(target, tuple(rows), ()), marks, grounds, cluster, place, digest)
    if found is not None:
        return found
    if any(_decides_by_itself(mark) for mark in marks[:1]):
        raise Unsettled("each start looks thoroughly")
    raise Unseen("no earlier run has verified exactly this")


_AT_ONCE = 200  # version tables that are read in one transaction: each is locked
_PATIENCE_FOR_MANY = 120.0  # seconds


def look_at_tenants(
    place: Place,
    target: Target,
    tenants: Mapping[str, tuple[str, str]],
    *,
    digest: Digest = digest,
    met: Callable[[Identity], None] = lambda _: None,
) -> dict[str, Settled]:
    """The same for many tenants of one database: those for which there is nothing to do. `tenants`
    says where each one's version table is: its name and its schema.

    The version rows are read first, the seals and the marks after them in one snapshot: a seal
    that is as it was when the mark was written was so all the time. Raises Unsettled.
    """
    parameters = {**target.parameters, "client_encoding": "utf8"}
    parameters.pop("application_name", None)
    try:
        connection = Connection(parameters, patience=_PATIENCE_FOR_MANY)
        try:
            return _looked_at_tenants(connection, place, target, tenants, digest, met)
        finally:
            connection.close()
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Unsettled(f"{type(error).__name__}: {error}") from error


def _looked_at_tenants(
    connection: Connection,
    place: Place,
    target: Target,
    tenants: Mapping[str, tuple[str, str]],
    digest: Digest,
    met: Callable[[Identity], None],
) -> dict[str, Settled]:
    def begin(*further: str) -> Row:
        known: Row = {}
        limits = "set local lock_timeout = '100ms'"
        for row in connection.run(";".join(("begin", query("look"), limits, *further))):
            known |= row
        return known

    first = begin(query("trusted"))
    table, schema = next(iter(tenants.values()))
    names = {"table": table, "schema": schema}
    (seen,) = connection.ask(query("probe"), {**names, "path": first["path"]})
    _require_journal(seen)
    met(Identity(seen["server_started"] or "", seen["database_oid"] or ""))
    asked = {
        "tables": _array({table for table, _ in tenants.values()}),
        "role": None,
        "trusted": first["trusted"],
        "only": None,
    }
    owners: dict[tuple[str | None, str | None], list[Row]] = {}
    for one in ask_owners(lambda text: connection.ask(text, asked)):
        owners.setdefault((one["schema"], one["name"]), []).append(one)
    connection.run("commit")
    journal, tables = owners.get(("surefoot", "journal"), ()), dict[str, str]()
    for tenant, (table, schema) in tenants.items():
        with contextlib.suppress(Unsettled):  # its own run will say why
            tables[tenant] = _trusted((*journal, *owners.get((schema, table), ())), table, schema)
    if not tables:
        raise Unsettled("nothing is trusted")
    rows: dict[str, list[str]] = {tenant: [] for tenant in tables}
    for batch in (list(tables)[n : n + _AT_ONCE] for n in range(0, len(tables), _AT_ONCE)):
        text = " union all ".join(
            f"select '{tenant}' as schema, version_num::text as id from only {tables[tenant]}"  # noqa: S608 - the server has quoted them
            for tenant in batch
        )
        begin()
        for row in connection.run(f"{text}; commit"):
            if "id" in row:
                rows[row["schema"] or ""].append(row["id"] or "")
    begin()
    histories = [".".join(reversed(tenants[tenant])) for tenant in tables]
    marks: dict[str, list[Row]] = {}
    for mark in connection.ask(query("last_marks"), {"histories": _array(histories)}):
        marks.setdefault(mark["history"] or "", []).append(mark)
    cluster: Mapping[str, Any] = {}
    if seen["control_readable"] == "t":
        (found,) = connection.run(query("control"))
        cluster = json.loads(found.get("control") or "{}")
    seals = {row["schema"]: row["seal"] for row in connection.ask(query("seals"), {"only": None})}
    connection.run("commit")
    settled: dict[str, Settled] = {}
    for tenant, history in zip(tables, histories, strict=True):
        grounds = {**_grounds(seen), "seal": seals.get(tenant)}
        its = Settled(target, tuple(sorted(rows[tenant])), ())
        found = _by_marks(its, marks.get(history, ()), grounds, cluster, place, digest)
        if found is not None:
            settled[tenant] = found
    return settled


def _array(texts: Iterable[str]) -> str:
    """PostgreSQL's text of an array."""
    escaped = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in escaped) + "}"


def _require_journal(seen: Row) -> None:
    if seen["journal_wrong"] != "{}":
        raise Unsettled("the journal is not the one that surefoot makes")


def _grounds(seen: Row) -> dict[str, Any]:
    """Which database it is, by the answer of probe.sql."""
    return {
        "database": int(seen["database_oid"] or 0),
        "name": seen["database"],
        "server": int(seen["server_version"] or 0),
        "path": seen["search_path"],
        "journal": int(seen["journal_oid"] or 0),
    }


def _by_marks(
    found: Settled,
    marks: Iterable[Row],
    grounds: Mapping[str, Any],
    cluster: Mapping[str, Any],
    place: Place,
    digest: Digest,
) -> Settled | None:
    """What was found, with the remarks of the mark that says there is nothing to do; None: no mark
    says so.
    """
    for mark in _ended_well(marks):
        evidence = _evidence(mark)
        # a row that is there twice is another state
        named = sorted(ids_of(mark["name"] or ""))
        if not (found.rows and evidence) or named != sorted(found.rows):
            continue
        if _is_here(evidence["database"], grounds, cluster) and _is_ours(evidence, place, digest):
            return found._replace(remarks=tuple(evidence["remarks"]))
    return None


def _trusted(owners: Iterable[Row], table: str, schema: str | None) -> str:
    """Return the version table's name, quoted by the server, if it may be trusted.

    It and the journal must be plain tables of trusted owners that no other role writes
    (decision/trust.py). Raises Unsettled.
    """
    found: dict[tuple[str | None, str | None], str | None] = {}
    for one in owners:
        whose = (one["schema"], one["name"])
        if whose not in (("surefoot", "journal"), (schema, table)):
            continue
        plain = one["kind"] == "r" and one["suspects"] == "[]"
        if not (plain and one["schema_trusted"] == "t" and one["trusted"] == "t"):
            raise Unsettled("it isn't trusted")
        if whose == ("surefoot", "journal") and one["writers"] != "{}":
            raise Unsettled("others may write the journal")
        found[whose] = one["quoted"]
    quoted = found.get((schema, table))
    if quoted is None or ("surefoot", "journal") not in found:
        raise Unseen("there is no version table, or no journal")
    return quoted


def _ended_well(marks: Iterable[Row]) -> Iterable[Row]:
    """Return the marks of runs that ended well, newest first, up to the last other row."""
    for mark in marks:
        if mark["step"] not in ENDED_WELL:
            return
        # another release has run a seed script since: this one's must run again
        if mark["seeded"] == "f":
            yield mark


def _evidence(mark: Row) -> dict[str, Any]:
    """Return what the mark relies on; empty if it was moved, or isn't surefoot's."""
    try:
        evidence: dict[str, Any] = json.loads(mark["evidence"] or "{}")
        written = evidence["transaction"] == mark["transaction"]
        known = written and isinstance(evidence["manifest"], dict)
    except (ValueError, LookupError, TypeError):  # an older build wrote it, or a person
        return {}
    return evidence if known and evidence.get("not_quick") is None else {}


def _decides_by_itself(mark: Row) -> bool:
    """Whether no mark can settle this project's starts, so that waiting for one is useless."""
    try:
        return json.loads(mark["evidence"] or "{}").get("not_quick") is not None
    except (ValueError, AttributeError):
        return False


def _is_here(marked: Mapping[str, Any], now: Mapping[str, Any], cluster: Mapping[str, Any]) -> bool:
    """Whether it is the same unchanged database: `DatabaseGrounds.same`.

    A role that may not ask for the cluster's identity relies on the rest.
    """
    same = all(marked[key] == value for key, value in now.items())
    return same and all(marked[key] == value for key, value in cluster.items())


def _is_ours(evidence: Mapping[str, Any], place: Place, digest: Digest) -> bool:
    """Whether the files are those that the run looked at."""
    manifest: Mapping[str, Any] = evidence["manifest"]
    if (manifest["surefoot"], manifest["config"]) != (__version__, place.config):
        return False
    files, directories = tuple(manifest["files"]), tuple(manifest["directories"])
    found = digest(place.root, files, directories, place.arguments, place.variables)
    return manifest["hash"] == found
