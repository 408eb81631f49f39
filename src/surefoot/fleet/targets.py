"""The list of a fleet's databases: its sources and its entries.

A line of the list is an address, or a JSON object with the keys of `Entry`. A query gives rows with
columns of these names. Unusable entries are reported one by one; the others are processed.
"""

import hashlib
import shlex
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.model.target import Target, is_text, parse
from surefoot.project.config import require_tenant_name
from surefoot.system.files import read_file

_PARTS = ("host", "port", "user", "dbname")
_NEXT = "correct the list, then run the same command again; databases that are done are skipped"


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry of the list. A part takes precedence over the address's."""

    name: str | None = None  # the database's name in results
    url: str | None = None  # a libpq or SQLAlchemy URL, or a libpq connection string
    host: str | None = None
    port: str | None = None
    user: str | None = None
    dbname: str | None = None
    password_variable: str | None = None  # the environment variable that holds the password
    password_file: str | None = None  # the file that holds the password
    tenant: str | None = None  # the schema of one customer, where the database has several


class Listed(NamedTuple):
    """An entry of the list, with its name and its place there.

    `wrong`, instead of the entry, says why it can't be used.
    """

    name: str
    where: str
    entry: Entry = Entry()
    wrong: SurefootError | None = None

    @property
    def server(self) -> str:
        """The server that the entry names; entries are grouped by it."""
        try:
            parameters = self.target({}).parameters
        except SurefootError:
            return ""
        parts = (parameters.get(key, "") for key in ("service", "host", "hostaddr", "port"))
        return " ".join(part for part in parts if part)

    def target(self, environ: Mapping[str, str] | None = None) -> Target:
        """Return the address, without the password if `environ` is empty.

        Raises SurefootError `target-invalid`, `tenant-unknown` or `database-url-invalid`.
        """
        if self.wrong is not None:
            raise self.wrong
        entry = self.entry
        if entry.tenant is not None:
            require_tenant_name(entry.tenant)
        found = parse(entry.url, self.where) if entry.url else Target({}, self.where)
        parts = {part: getattr(entry, part) for part in _PARTS}
        parameters = found.parameters | {part: value for part, value in parts.items() if value}
        if not (parameters.get("dbname") or parameters.get("service")):
            raise _invalid(self.where, "it names no database", "give it a dbname or a url")
        if not environ:
            return found._replace(parameters=parameters)
        if password := self._password(environ):
            parameters["password"] = password
        # a zero byte would cut a name short, and that may be another database's name
        if not all(map(is_text, parameters.values())):
            why = "a part of it holds a zero byte, or what is not UTF-8 text"
            raise _invalid(self.where, why, "correct that part")
        # as its run will read it
        found = parse(address(found._replace(parameters=parameters)), self.where)
        for part in sorted(
            {*parameters, *found.parameters} - {"port"}
        ):  # several hosts have a port each
            if parameters.get(part) != found.parameters.get(part):
                raise _invalid(self.where, f"its {part} is not valid", f"correct its {part}")
        return found

    def _password(self, environ: Mapping[str, str]) -> str | None:
        variable, file = self.entry.password_variable, self.entry.password_file
        if variable and file:
            why = "it has both password_variable and password_file"
            raise _invalid(self.where, why, "leave one of the two")
        if variable:
            if variable not in environ:
                why = f"the environment variable {variable} isn't set"
                raise _invalid(self.where, why, f"set {variable}, or correct password_variable")
            return environ[variable]
        if not file:
            return None
        try:
            return read_file(file).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            why = f"its password_file {file} can't be read: {reason}"
            raise _invalid(self.where, why, "correct password_file, or mount the secret") from error


def address(target: Target) -> str:
    """Return the address as a URL that surefoot reads as this target, with the password.

    `Target.url` writes it for a driver, which may know fewer parameters.
    """
    words = Target({**target.parameters, **target.extra}, target.source)
    return (target.driver or "postgresql") + words.url("postgresql").removeprefix("postgresql")


class Shard(NamedTuple):
    """The part of a list that one of several processes takes."""

    number: int = 0
    of: int = 1

    def takes(self, name: str) -> bool:
        """Whether a database of this name belongs to this shard; independent of the rest of the
        list.
        """
        if self.of == 1:
            return True
        digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.of == self.number


class Listing(NamedTuple):
    """The entries of one shard, alternating between servers.

    `secrets` are the environment variables with passwords for the whole list's databases.
    """

    entries: list[Listed]
    secrets: frozenset[str]


Rows = Iterable[Mapping[str, Any]]


def read(
    source: str,
    ask: Callable[[str], Rows],
    shard: Shard,
    tenants: Callable[[], Iterable[Entry]] = tuple,
) -> Listing:
    """Read the list, and return the entries of the shard.

    `source` is `sql:QUERY`, which `ask` answers, `command:COMMAND`, whose output has a line for
    each database, `tenants:`, whose entries `tenants` gives, or the path of such a file. Raises
    SurefootError `targets-unreadable`.
    """
    kind, colon, rest = source.partition(":")
    if source == "tenants:":
        found = [_listed(one, f"tenant {one.tenant}") for one in tenants()]
    elif colon and kind == "sql":
        found = [_of_row(row, f"row {n}") for n, row in enumerate(ask(rest), 1)]
    elif colon and kind == "command":
        found = [*_of_lines(_printed(rest), "the command's output")]
    else:
        found = [*_of_lines(_content(source), source)]
    if not found:
        raise unreadable("The list of databases is empty.", source)
    secrets = frozenset(one.entry.password_variable or "" for one in found) - {""}
    mine = (one for one in _each_once(found) if shard.takes(one.name))
    return Listing(in_turn(mine), secrets)


def in_turn(listed: Iterable[Listed]) -> list[Listed]:
    """Alternate between the servers, because a server's limit must not hold up the others."""
    by_server: dict[str, list[Listed]] = {}
    for one in listed:
        by_server.setdefault(one.server, []).append(one)
    rounds = max(map(len, by_server.values()), default=0)
    return [of[n] for n in range(rounds) for of in by_server.values() if n < len(of)]


def unreadable(message: str, source: str, *seen: str) -> SurefootError:
    """Return the error that the list as a whole can't be read."""
    return SurefootError(
        "targets-unreadable",
        message,
        seen=[f"--targets {_shown(source)}", *seen],
        database="No database was reached.",
        next="correct --targets: the path of a file, sql: and a query, command: and a command, or "
        "tenants:, with at least one database",
    )


def _shown(source: str) -> str:
    """Hide a query or a command, which may contain a password."""
    kind, colon, _ = source.partition(":")
    return f"{kind}:…" if colon and kind in ("sql", "command") else source


def _content(path: str) -> str:
    try:
        return read_file(Path(path)).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise unreadable("The list of databases can't be read.", path, str(reason)) from error


def _printed(command: str) -> str:
    source = f"command:{command}"
    try:
        words = shlex.split(command)
        done = subprocess.run(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
        if done.returncode == 0:
            return done.stdout.decode()
    except (OSError, ValueError, IndexError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        message = "The command that lists the databases can't be run."
        raise unreadable(message, source, str(reason)) from error
    seen = f"it ended with exit code {done.returncode}"
    raise unreadable("The command that lists the databases failed.", source, seen)


def _of_lines(text: str, file: str) -> Iterator[Listed]:
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            yield _of_line(line, f"{file}, line {number}")


def _of_line(line: str, where: str) -> Listed:
    if not line.startswith("{"):
        return _listed(Entry(url=line), where)
    try:
        row = msgspec.json.decode(line, type=dict[str, str | int | None])
    except msgspec.DecodeError as error:  # its message may quote the line
        what = str(error).partition(" (")[0] if isinstance(error, msgspec.ValidationError) else ""
        why = f"it is not a JSON object of strings{f': {what}' if what else ''}"
        return _wrong(where, why)
    return _of_row(row, where)


def _of_row(row: Mapping[str, Any], where: str) -> Listed:
    given = {key: str(value) for key, value in row.items() if value is not None}
    try:
        return _listed(msgspec.convert(given, Entry), where)
    except msgspec.ValidationError as error:
        keys = ", ".join(Entry.__struct_fields__)
        return _wrong(where, f"{str(error).replace('`', '')}; the keys are {keys}")


def _listed(entry: Entry, where: str) -> Listed:
    listed = Listed(entry.name or "", where, entry)
    if entry.name:
        return listed
    try:
        label = listed.target().label
        return listed._replace(name=f"{entry.tenant} in {label}" if entry.tenant else label)
    except SurefootError as error:
        return Listed(where, where, entry, error)


def _wrong(where: str, why: str) -> Listed:
    return Listed(where, where, wrong=_invalid(where, why, "correct that entry of the list"))


def _each_once(listed: Iterable[Listed]) -> Iterator[Listed]:
    """Require unique names, because results are distinguished by name."""
    first: dict[str, str] = {}
    for one in listed:
        if one.name in first:
            why = f"{one.name} is listed already: {first[one.name]}"
            yield Listed(one.where, one.where, wrong=_invalid(one.where, why, "give it a name"))
        else:
            first[one.name] = one.where
            yield one


def _invalid(where: str, why: str, what_to_do: str) -> SurefootError:
    return SurefootError(
        "target-invalid",
        f"An entry of the list can't be used: {where}.",
        seen=[why],
        database=NOT_REACHED,
        next=f"{what_to_do}: {_NEXT}",
    )
