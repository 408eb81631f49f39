"""A script given to psql and to surefoot, on two databases, and what is to be said of the two."""

import os
import re
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from surefoot.errors import Finding, SurefootError
from surefoot.postgres.embedded import embedded_bin
from surefoot.scripts.reader import Script, check
from surefoot.scripts.run import ScriptFailed, run_script
from tests.chaos.script_texts import EMPTY_AFTER_COPY

_BOM = b"\xef\xbb\xbf"
_AS_UTF8 = b"SET client_encoding = 'UTF8';"
_PSQL = ("-X", "-q", "-1", "-v", "ON_ERROR_STOP=1")
_EMPTY = (
    "DO $$DECLARE name text; BEGIN FOR name IN SELECT nspname FROM pg_catalog.pg_namespace WHERE"
    " nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP EXECUTE"
    " pg_catalog.format('DROP SCHEMA %I CASCADE', name); END LOOP; END$$; CREATE SCHEMA public"
)


@dataclass
class Pair:
    """Two databases: one for psql, one for surefoot, each with a connection that looks."""

    server: "Address"
    name: str
    directory: Path
    encoding: str = "UTF8"
    program: Path = embedded_bin() / "psql"
    looking: dict[str, psycopg.Connection[Any]] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        with psycopg.connect(self.server.conninfo("postgres"), autocommit=True) as connection:
            for side in ("psql", "ours"):
                connection.execute(
                    (
                        f"CREATE DATABASE {self.name}_{side} TEMPLATE template0 LOCALE 'C'"
                        f" ENCODING '{self.encoding}'"
                    ).encode()
                )
        for side in ("psql", "ours"):
            connection = psycopg.connect(self.conninfo(side), autocommit=True)
            connection.execute("SET client_min_messages = error")
            connection.execute((Path(__file__).parent / "fingerprint.sql").read_bytes())
            self.looking[side] = connection

    def close(self) -> None:
        """Drop both."""
        for connection in self.looking.values():
            connection.close()
        with psycopg.connect(self.server.conninfo("postgres"), autocommit=True) as connection:
            for side in ("psql", "ours"):
                connection.execute(f"DROP DATABASE {self.name}_{side} WITH (FORCE)".encode())

    def conninfo(self, side: str) -> str:
        return self.server.conninfo(f"{self.name}_{side}")

    def empty(self) -> None:
        for connection in self.looking.values():
            connection.execute(_EMPTY)

    def content(self, side: str) -> bytes:
        row = (
            self.looking[side]
            .execute(
                "SELECT pg_catalog.convert_to(pg_temp.fingerprint(),"
                " pg_catalog.getdatabaseencoding())"
            )
            .fetchone()
        )
        assert row is not None
        return row[0]

    def psql(self, script: Path, *, restricted: bool = False) -> tuple[bool, str]:
        """Whether it succeeded, and what it said."""
        # in restricted mode psql refuses its own commands, whatever they are
        first = ("-c", "\\restrict chaos") if restricted else ()
        done = subprocess.run(
            [
                *(self.program, *_PSQL, "-d", self.conninfo("psql")),
                *(*first, "-f", script),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, "EDITOR": "/bin/false", "PAGER": "cat", "SHELL": "/bin/false"},
            cwd=self.directory,
            timeout=60,
        )
        return done.returncode == 0, done.stderr.decode(errors="replace")

    def ours(self, script: Path) -> tuple[bool, str, bool]:
        """As `run_ours`."""
        return run_ours(script, self.conninfo("ours"))

    def dumps(self) -> list[str]:
        """Both databases as text, read at the same time."""
        command = [embedded_bin() / "pg_dump", "--restrict-key=k", "-d"]
        running = [
            subprocess.Popen([*command, self.conninfo(side)], stdout=subprocess.PIPE)
            for side in ("psql", "ours")
        ]
        return [process.communicate()[0].decode() for process in running]


@dataclass
class Address:
    """Where a server is: what a process that didn't start it needs to know."""

    socket_directory: Path
    port: int

    def conninfo(self, database: str) -> str:
        return f"host={self.socket_directory} port={self.port} user=postgres dbname={database}"


def run_ours(script: Path, conninfo: str) -> tuple[bool, str, bool]:
    """Whether surefoot succeeded, what it said, and whether the script had its own transactions.

    Raises SurefootError for what is refused before anything is sent.
    """
    with psycopg.connect(conninfo) as connection:
        (summary,) = check([Script(script)], server_version=connection.info.server_version)
        pairs = any("surefoot's own transaction" in notice for notice in summary.notices)
        try:
            with connection.transaction():
                run_script(connection, Script(script))
        except (ScriptFailed, psycopg.Error) as error:
            return False, str(error), pairs
    return True, "", pairs


@dataclass
class Found:
    """What became of the scripts of one kind."""

    number: int = 0  # of the block
    times: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    violations: list[str] = field(default_factory=list[str])

    def add(self, other: "Found") -> None:
        self.times += other.times
        self.seconds += other.seconds
        self.outcomes += other.outcomes
        self.violations += other.violations


def compare(pair: Pair, script: bytes, found: Found) -> str:
    """Give one script to both, and say what became of it."""
    script = EMPTY_AFTER_COPY.sub(rb"\1SELECT 1;\n", script)
    file = pair.directory / f"{pair.name}.sql"
    file.write_bytes(script)
    pair.empty()
    found.times += 1
    before = pair.content("ours")
    try:
        ours, words, pairs = pair.ours(file)
    except SurefootError as error:
        outcome = refused(pair, file, script, error.finding)
        if pair.content("ours") != before:
            outcome = "VIOLATION: refused, and something is left"
    else:
        if script.startswith(_BOM) and pair.encoding != "UTF8":
            # psql would take the mark for a word, and the text for the database's encoding
            file.write_bytes(_AS_UTF8 + script[len(_BOM) :])
        theirs, said = pair.psql(file)
        outcome = compared(pair, ours, theirs, pairs, before, said, words)
        if ours and not theirs and _BYTES.search(said):
            outcome = without_its_bytes(pair, file.read_bytes(), file)
    if outcome.startswith("VIOLATION"):
        kept = pair.directory / f"violation-{found.number}-{found.times}.sql"
        kept.write_bytes(script)
        found.violations.append(f"{outcome}: {kept}")
    else:
        found.outcomes[outcome] += 1
    return outcome


def compared(
    pair: Pair, ours: bool, theirs: bool, pairs: bool, before: bytes, said: str, words: str
) -> str:
    """What is to be said of a script that both have run."""
    mine = pair.content("ours")
    if not ours:
        if mine != before:
            return f"VIOLATION: failed, and something is left ({words})"
        if theirs:
            return f"VIOLATION: psql succeeds, surefoot fails ({words})"
        if not pairs and pair.content("psql") != before:
            return f"VIOLATION: psql fails, and something is left ({said})"
        return "both fail"
    if not theirs:
        if pairs and "can only be used in transaction blocks" in said:
            return "one transaction instead of BEGIN … COMMIT pairs"
        return f"VIOLATION: psql fails, surefoot succeeds ({said})"
    if pair.content("psql") != mine:
        return "VIOLATION: the databases differ"
    return "both succeed"


_BYTES = re.compile(r"invalid byte sequence|has no equivalent in encoding")


_CODECS = {"UTF8": "utf-8", "LATIN1": "latin-1", "SQL_ASCII": "utf-8", "EUC_JP": "euc_jp"}
_CLIENT_ENCODING = re.compile(rb"client_encoding|set\s+names", re.IGNORECASE)


def without_its_bytes(pair: Pair, script: bytes, file: Path) -> str:
    """Comments between statements aren't sent, so what is in them hurts nobody.

    Everything else can be read, or surefoot had failed: so with the rest replaced, psql must do the
    same. Where the script says itself how it's to be read, that psql succeeds is all that is asked.
    """
    kept = pair.content("ours")
    codec = _CODECS[pair.encoding]
    marked = script.startswith(_AS_UTF8)
    says = _CLIENT_ENCODING.search(script, len(_AS_UTF8) if marked else 0) is not None
    if says:
        begin = len(_BOM) * script.startswith(_BOM)
        script = script[:begin] + re.sub(rb"[\x80-\xff]", b"?", script[begin:])
    else:
        text = script.decode("utf-8" if marked else codec, "replace")
        text = text.encode(codec, "replace").decode(codec)
        script = text.encode("utf-8" if marked else codec)
    file.write_bytes(script)
    pair.empty()
    if pair.psql(file)[0] and (says or kept == pair.content("psql")):
        return "psql reads bytes in comments"
    return "VIOLATION: psql can't read the bytes, surefoot succeeds"


# What each refusal says, and how psql would have taken it.
_ON_PURPOSE = re.compile(r"The (data of COPY|transaction|BEGIN … END body|dump \(\\restrict\)) ")
_ENDS = re.compile(r":\d+: *(commit|end|rollback|abort|set.transaction)\b", re.IGNORECASE)
_ENCODING = re.compile(r"a zero byte|is not a SQL script: it is |in the encoding \S+ can't be read")
_PLACE = re.compile(r":(\d+): ")


def refused(pair: Pair, file: Path, script: bytes, finding: Finding) -> str:
    """What is to be said of a script that surefoot doesn't take."""
    documented = False
    match finding.code:
        case "script-needs-psql":
            what = finding.message.partition(": ")[2].partition(" is a ")[0]
            if what in ("\\;", "\\:"):
                documented = what.encode() in script
            elif what.startswith("\\"):
                theirs, said = pair.psql(file, restricted=True)
                documented = not theirs and what.rstrip("…") in script.decode(errors="replace")
                if documented and "backslash commands are restricted" not in said:
                    return "refused: script-needs-psql, psql fails before"
            elif what.startswith(":"):
                documented = what.encode() in script or "�" in what
            else:
                documented = "statement on the line of COPY" in finding.message
        case "script-truncated":
            documented = _ON_PURPOSE.search(finding.message) is not None
            documented = documented or not pair.psql(file)[0]
        case "script-not-transactional":
            documented = any(_ENDS.search(line) for line in finding.seen)
            documented = documented or not pair.psql(file)[0]
        case "script-encoding":
            documented = _ENCODING.search(finding.message) is not None
        case _:
            pass
    if documented:
        return f"refused: {finding.code}"
    return f"VIOLATION: refused, and psql succeeds ({finding.code}: {finding.message})"
