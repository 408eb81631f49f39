"""Report that the server refused a statement: where, why, and what to do about it."""

import re

import msgspec

from surefoot.diagnosis.cause import Cause, Diagnosis
from surefoot.diagnosis.server import of_server, script_code
from surefoot.errors import ErrorCode
from surefoot.errors.steps import to_type
from surefoot.scripts.refusals import first_line, shorten

_LONG = 200
_COPY_LINE = re.compile(r"COPY [^\n]*?, \S+ (\d+)")
_NAMES_MISSING = {"3F000", "42P01", "42704", "42883"}
_QUOTED = re.compile(r'"([^"]+)"')
_ENCODING = {"22021", "22P05"}


class ServerError(msgspec.Struct, frozen=True):
    """PostgreSQL's own message; `position` counts characters from 1, in the text that was sent."""

    sqlstate: str
    message: str
    detail: str = ""
    hint: str = ""
    context: str = ""
    schema: str = ""
    table: str = ""
    column: str = ""
    constraint: str = ""
    position: int | None = None


class ScriptPosition(msgspec.Struct, frozen=True):
    """A place in a script: the statement's line, its text, and the line of the error itself."""

    line: int
    sql: bytes
    error_line: int | None = None


class Circumstances(msgspec.Struct, frozen=True):
    """What else a remedy depends on."""

    search_path: str | None  # the script's, as configured
    dump_search_path: bool  # the script emptied it, as pg_dump's first lines do
    max_locks: str = "64"


def locate(
    batch: list[tuple[int, int, bytes]], sent: bytes, done: int, error: ServerError, codec: str
) -> ScriptPosition:
    """Find the statement of a batch that failed, by each one's line, place in `sent`, and text.

    `sent` is what was sent, in the encoding `codec`. `done` counts the results before the error,
    which identifies the statement, unless the whole batch could not be parsed or decoded: then
    nothing was done, and only the position or the bytes identify it.
    """
    offset = None
    if error.position is not None:
        text = sent.decode(codec, "surrogateescape")
        offset = len(text[: error.position - 1].encode(codec, "surrogateescape"))
    elif not done and error.sqlstate in _ENCODING:
        offset = _undecodable(sent, codec)
    for index, (line, start, sql) in enumerate(batch):
        if offset is None or (done and index > done):
            break
        if offset <= start + len(sql):
            if done and index < done:
                break  # a position in some other text, such as a prepared statement's
            return ScriptPosition(line, sql, line + sql.count(b"\n", 0, max(offset - start, 0)))
    line, _, sql = batch[min(done, len(batch) - 1)]
    return ScriptPosition(line, sql)


def _undecodable(text: bytes, codec: str) -> int | None:
    try:
        text.decode(codec)
    except UnicodeDecodeError as error:
        return error.start
    return None


def copy_line(context: str) -> int | None:
    """Return the line of COPY's data that the error's context names, counted from 1."""
    match = _COPY_LINE.search(context)
    return int(match[1]) if match else None


def statement(place: ScriptPosition) -> str:
    """Return the statement's line and the beginning of its text."""
    return f"line {place.line}: {first_line(place.sql)}"


def message(label: str, place: ScriptPosition, error: ServerError) -> str:
    """Return what happened, in one line that begins with FILE:LINE."""
    line = place.line if place.error_line is None else place.error_line
    return f"{label}:{line}: {shorten(error.message, _LONG)}"


def seen(place: ScriptPosition, error: ServerError) -> list[str]:
    """Return the statement and PostgreSQL's message, each cut to a readable length."""
    lines = [statement(place), f"SQLSTATE {error.sqlstate}"]
    for name, text in (("detail", error.detail), ("hint", error.hint)):
        lines += [f"{name}: {shorten(line, _LONG)}" for line in text.splitlines()[:3]]
    found = _of_server(error)
    lines += found.seen if found else ()
    return lines + [f"context: {shorten(line)}" for line in error.context.splitlines()[:5]]


def code(error: ServerError) -> ErrorCode:
    """Return the condition: `script-failed`, unless it is one of the server's own."""
    return script_code(_of_server(error))


def cause(place: ScriptPosition, error: ServerError, codec: str) -> Cause:
    """Return the cause in the same form as for a revision."""
    return Cause(
        error.sqlstate,
        error.message,
        error.detail,
        error.hint,
        error.context,
        place.sql.decode(codec, errors="replace"),
        error.schema,
        error.table,
        error.column,
        error.constraint,
    )


def _of_server(error: ServerError) -> Diagnosis | None:
    return of_server(Cause(error.sqlstate, error.message, error.detail, error.hint))


def remedy(label: str, error: ServerError, about: Circumstances) -> str:
    """Return the next step, for the common causes."""
    state, message = error.sqlstate, error.message
    if state == "42704" and "role" in message:
        return "dump again with --no-owner --no-privileges, or create the role on this server first"
    if state == "53200" and "max_locks_per_transaction" in error.hint + message:
        return (
            f"raise max_locks_per_transaction (now {about.max_locks}) to "
            f"{4 * int(about.max_locks)} in postgresql.conf, and restart the server"
        )
    if state in ("0A000", "58P01") and "extension" in message:
        return "install the package of the extension on the server, or use an image that has it"
    if state in _ENCODING:
        return "save the script as UTF-8, or begin it with SET client_encoding = '…';"
    if state == "25001":
        return "remove the statement: it can't be part of a transaction"
    if state == "42501":
        return "run as a user with the right, or take the statement out of the script"
    found = _of_server(error)
    if found is not None:
        return found.next
    unqualified = (named := _QUOTED.search(message)) is None or "." not in named[1]
    emptied = about.search_path is None and about.dump_search_path
    if state in _NAMES_MISSING and emptied and unqualified:
        return to_type(
            f"correct the statement in {label}. Or, if the name is right: the script empties "
            "search_path, as pg_dump does; set one for it in surefoot.toml",
            f'init = [{{ path = "{label}", search_path = "public" }}]',
            then="Then run the same command again",
        )
    return f"correct the statement in {label}, and run the same command again"
