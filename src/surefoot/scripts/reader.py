r"""Read an SQL script, statement by statement, with the line on which each begins.

The file is read in pieces; only one piece and the current statement are in memory, however large
the file. `check` reads everything once before anything is sent; `read` reads it again, for sending.
What psql would do beyond sending SQL (`\i`, `\connect`, variables) is refused.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from surefoot.scripts import refusals, rules
from surefoot.scripts.lexer import Cut, NotSql, Unfinished, cut, cut_fast, cut_run
from surefoot.scripts.rules import Role
from surefoot.scripts.source import Source
from surefoot.system.files import open_file

CHUNK = 1 << 20
_RUN_BYTES = 1 << 16  # of plain statements that are distinguished only if one of them fails


class Script(msgspec.Struct, frozen=True):
    """A configured script: its place, its name in messages, its search_path."""

    path: Path
    search_path: str | None = None
    name: str = ""

    @property
    def label(self) -> str:
        """Its name in messages, otherwise its path."""
        return self.name or str(self.path)


class Statement(msgspec.Struct, frozen=True, gc=False):
    """One statement to send, or a run of plain ones, which `statements` separates.

    `barrier`: the server may read differently what comes after it. `run`: for a run, the setting
    standard_conforming_strings with which it was cut; None for a single statement.
    """

    line: int
    sql: bytes
    barrier: bool = False
    run: bool | None = None

    def statements(self) -> list[tuple[int, int, bytes]]:
        """Return each statement's line, its place in `sql`, and its text."""
        if self.run is None:
            return [(self.line, 0, self.sql)]
        found: list[tuple[int, int, bytes]] = []
        line, at = self.line, 0
        while at < len(self.sql):
            plain = cut_fast(self.sql, at, self.run)
            assert plain is not None, "a run is cut into the statements that it was made of"
            begin, end = plain
            line += self.sql.count(b"\n", at, begin)
            found.append((line, begin, self.sql[begin:end]))
            line, at = line + self.sql.count(b"\n", begin, end), end
        return found


class CopyBlock(msgspec.Struct, frozen=True):
    """A `COPY … FROM stdin` and its data, which must be read before the next item is requested.

    `data_line` is the line of the first row.
    """

    line: int
    sql: bytes
    data_line: int
    data: Iterator[bytes]


class Summary(msgspec.Struct, frozen=True):
    """The results of the first reading. `notices` say what will be left out, and on which line."""

    sha256: str
    notices: tuple[str, ...] = ()


def check(scripts: Iterable[Script], *, server_version: int) -> list[Summary]:
    """Read every script to its end without sending anything; returns a summary of each.

    Raises SurefootError `script-not-found`, `script-encoding`, `script-needs-psql` or
    `script-truncated` at the first place; `script-not-transactional` once, for all statements of
    all scripts.
    """
    summaries: list[Summary] = []
    refused: list[str] = []
    for script in scripts:
        reading = Reading(script, server_version=server_version, refused=refused)
        for _ in reading:
            pass
        summaries.append(Summary(reading.sha256, tuple(reading.notices)))
    if refused:
        raise refusals.not_transactional(refused)
    return summaries


def read(script: Script, *, server_version: int, chunk: int = CHUNK) -> "Reading":
    """Return the script's items, in order. Raises what `check` raises, where it occurs."""
    return Reading(script, server_version=server_version, chunk=chunk)


class Reading:
    """One pass over a script: an iterator of Statement and CopyBlock."""

    def __init__(
        self,
        script: Script,
        *,
        server_version: int,
        chunk: int = CHUNK,
        refused: list[str] | None = None,
    ) -> None:
        """`refused` collects what can't run in a transaction; without it, the first one raises."""
        self.standard_strings = True
        self.dump_search_path = False  # the script empties search_path as pg_dump does
        self.marked_utf8 = False  # by a byte order mark; known from the first item on
        self.notices: list[str] = []
        self._hash = hashlib.sha256()
        self._script = script
        self._server_version = server_version
        self._chunk = chunk
        self._refused = refused
        self._begun: int | None = None  # the line of the script's own BEGIN
        self._savepoints: list[tuple[bytes, bool]] = []  # with standard_strings at that point
        self._restricted: tuple[bytes, int] | None = None  # the key of \\restrict, and its line

    @property
    def sha256(self) -> str:
        """The hash of the bytes read so far: of the whole file once the iteration has ended."""
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[Statement | CopyBlock]:
        label = self._script.label
        try:
            with open_file(self._script.path) as file:
                source = Source(file, label, self._chunk, self._hash)
                self.marked_utf8 = source.marked_utf8
                try:
                    yield from self._items(source)
                except NotSql as error:
                    line = source.line_at(error.offset)
                    raise refusals.needs_psql(label, line, error.what) from None
                except Unfinished as error:
                    line = source.line_at(error.offset)
                    raise refusals.truncated(label, line, f"The {error.what}") from None
        except OSError as error:
            raise refusals.not_found(label, error) from None
        if self._begun is not None:
            raise refusals.truncated(label, self._begun, "The transaction")
        if self._restricted is not None:
            raise refusals.truncated(label, self._restricted[1], r"The dump (\restrict)")

    def _items(self, source: Source) -> Iterator[Statement | CopyBlock]:
        while True:
            strings = self.standard_strings
            if plain := cut_run(source.text, source.at, _RUN_BYTES, strings):
                yield Statement(*source.take(*plain), run=strings)
                continue
            if plain := cut_fast(source.text, source.at, strings):
                yield Statement(*source.take(*plain))
                continue
            found = cut(source.text, source.at, final=source.final, standard_strings=strings)
            if found is None:
                source.more()
                continue
            for begin, end in found.blanks:
                self._obey(
                    source.text[begin:end].rstrip(b"\\").split(), begin, source.line_at(begin)
                )
            line, sql = source.take(found.begin, found.end)
            if sql:
                yield from self._judged(found, line, _blanked(sql, found), source)
            elif source.final and found.end == len(source.text):
                return

    def _obey(self, command: list[bytes], offset: int, line: int) -> None:
        r"""Handle a psql command; between \restrict and \unrestrict, psql obeys no other."""
        match command, self._restricted:
            case [b"\\restrict", key], None:
                self._restricted = key, line
            case [b"\\unrestrict", key], (expected, _) if key == expected:
                self._restricted = None
            case [name, *_], opened if opened or name == b"\\unrestrict":
                raise NotSql(offset, name)
            case _:
                pass

    def _judged(
        self, found: Cut, line: int, sql: bytes, source: Source
    ) -> Iterator[Statement | CopyBlock]:
        skeleton = found.skeleton
        self.standard_strings = rules.standard_strings_after(skeleton, self.standard_strings)
        if savepoint := rules.savepoint(skeleton):
            self._go_back(*savepoint)
        if encoding := rules.unsafe_encoding(skeleton):
            raise refusals.unsafe_encoding(self._script.label, line, encoding)
        match rules.role(skeleton, self._server_version):
            case Role.SEND:
                yield Statement(line, sql, rules.changes_reading(skeleton))
            case Role.COPY_IN:
                data = source.copy_data(line, csv=rules.is_csv(skeleton))
                yield CopyBlock(line, sql, source.data_line, data)
                for _ in data:
                    pass
            case Role.BEGIN:
                self._begun = line if self._begun is None else self._begun
                self._leave_out(line, sql, "it runs in surefoot's own transaction")
            case Role.COMMIT if self._begun is not None:
                self._begun = None
                self._leave_out(line, sql, "it runs in surefoot's own transaction")
            case Role.SEARCH_PATH_OF_DUMP:
                if self._script.search_path is None:
                    self.dump_search_path = True
                    yield Statement(line, sql, barrier=True)
                else:
                    path = self._script.search_path
                    self._leave_out(line, sql, f"the script's search_path is {path}")
            case Role.UNKNOWN_SETTING:
                self._leave_out(line, sql, "this server doesn't know the setting")
            case Role.COMMIT | Role.ENDS_TRANSACTION | Role.NOT_TRANSACTIONAL as role:
                if role is Role.ENDS_TRANSACTION:
                    self._begun = None
                self._refuse(f"{self._script.label}:{line}: {refusals.first_line(sql)}")

    def _go_back(self, what: bytes, name: bytes) -> None:
        """Restore the settings as well, on a rollback to a savepoint."""
        if what == b"SAVEPOINT":
            self._savepoints.append((name, self.standard_strings))
            return
        while self._savepoints and self._savepoints[-1][0] != name:
            self._savepoints.pop()
        if what == b"RELEASE":
            del self._savepoints[-1:]
        elif self._savepoints:
            self.standard_strings = self._savepoints[-1][1]

    def _leave_out(self, line: int, sql: bytes, why: str) -> None:
        text = refusals.first_line(sql)
        self.notices.append(f"{self._script.label}:{line}: left out: {text} ({why})")

    def _refuse(self, statement: str) -> None:
        if self._refused is None:
            raise refusals.not_transactional([statement])
        self._refused.append(statement)


def _blanked(sql: bytes, found: Cut) -> bytes:
    # spaces, not nothing, so that an error's position stays correct
    for start, end in found.blanks:
        start, end = max(start - found.begin, 0), end - found.begin
        if end > 0:
            sql = sql[:start] + b" " * (end - start) + sql[end:]
    return sql
