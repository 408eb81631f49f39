"""Cases of bad input: what is put in the way of which command, and how it may end."""

import random
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from tests.chaos.bad_world import PASSWORDS, NotTaken, World
from tests.chaos.process import NOBODY
from tests.project import Application

LOOKING = [
    *(
        ["status"],
        ["status", "--json"],
        ["plan"],
        ["plan", "--json"],
        ["drift"],
        ["drift", "--json"],
    ),
]
ACTING = [
    ["up"],
    ["up", "--json"],
    ["up", "--", "true"],
    ["adopt", "r2"],
    ["repair"],
    ["adopt", "r3"],
]
READING = [
    *(["catalog", "show"], ["catalog", "show", "r2"], ["catalog", "diff", "r1", "r3"]),
    *(["catalog", "show", "--json"], ["explain", "config-invalid"]),
]
ANY = [*LOOKING, *ACTING, *READING]
# A documented refusal of any kind; 0 and 3 where the input may still have been good enough.
REFUSED = frozenset({2, 4, 5, 7})
ANYTHING = REFUSED | {0, 3}


@dataclass
class Case:
    """One command. `allowed` are the exit codes that it may end with."""

    what: str
    application: Application
    arguments: list[str]
    database: str
    allowed: frozenset[int]
    environ: dict[str, str] = field(default_factory=dict[str, str])
    user: int | None = None
    role: int = 0
    user_shows_it: bool = False  # the password is in the user's own environment or arguments


def _case(
    world: World,
    rng: random.Random,
    what: str,
    application: Application,
    commands: list[list[str]],
    allowed: frozenset[int],
    state: str = "behind",
    statements: str = "",
    **more: Any,
) -> Case:
    role = rng.randrange(len(PASSWORDS))
    database = world.database(state, statements)
    (application.root / "address").write_text(world.url(database, role))
    environ = {
        "SUREFOOT_DATABASE_URL_FILE": str(application.root / "address"),
        "PATH": "/usr/bin:/bin",
        "HOME": str(application.root),
    }
    arguments = list(rng.choice(commands))
    return Case(what, application, arguments, database, allowed, environ, role=role, **more)


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Bit flips, a cut, swapped or doubled blocks, pieces put in."""
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(content) + 1)
        length = rng.choice([1, 4, 40, 400])
        match rng.randrange(8):
            case 0 if content:
                at = rng.randrange(len(content))
                flipped = content[at] ^ (1 << rng.randrange(8))
                content = content[:at] + bytes([flipped]) + content[at + 1 :]
            case 1:
                content = content[:at]
            case 2:
                content = content[:at] + content[at + length :]
            case 3:
                content = content[:at] + content[at : at + length] + content[at:]
            case 4:
                content = content[:at] + rng.choice(PIECES) + content[at:]
            case 5:
                blocks = content.split(b"\n\n")
                rng.shuffle(blocks)
                content = b"\n\n".join(blocks)
            case 6:
                lines = content.splitlines(keepends=True)
                one, two = rng.randrange(len(lines) + 1), rng.randrange(len(lines) + 1)
                lines[one:one], lines[two:two] = lines[two : two + 3], lines[one : one + 3]
                content = b"".join(lines)
            case _:
                lines = content.splitlines(keepends=True)
                one = rng.randrange(len(lines) + 1)
                marks = [b"<<<<<<< ours\n", *lines[one : one + 2], b"=======\n", b">>>>>>> b\n"]
                content = b"".join([*lines[:one], *marks, *lines[one:]])
    return content


PIECES = [
    *(
        b"\0",
        b"\xff",
        b"\xc3",
        b"\r",
        b"\t",
        b"\n",
        b"'",
        b'"',
        b"\\",
        b"#",
        b"[",
        b"]",
        b"{",
        b"=",
    ),
    *(
        b"\xef\xbb\xbf",
        "é".encode(),
        b"%(x)s",
        b"%",
        b"$",
        b":",
        b",",
        b"\x1b[31m",
        b"None",
        b"1e999",
    ),
    *(b"[[", b"]]", b'"""', b"\\u0000", b"\\ud800", b"9" * 5000, b"a" * 100_000, b"\xe2\x80\xae"),
]

VALUES = [
    *(
        "1",
        "-1",
        "0",
        "1.5",
        "true",
        '""',
        '"x"',
        "[]",
        "[1]",
        '["x"]',
        "{}",
        '{path = "x"}',
        "nan",
    ),
    *(
        '"/"',
        '"/dev/zero"',
        '"/dev/null"',
        '"."',
        '".."',
        '"\\u0000"',
        '"é\\n"',
        "1979-05-27",
        "inf",
    ),
    *(
        '[{path = "x", y = 1}]',
        '[["x"]]',
        "[[]]",
        "[{}]",
        '"seeds"',
        '"nowhere.sql"',
        '"x:y"',
        '"os:getcwd"',
    ),
    *(
        '"10ms"',
        '"0s"',
        '"1e9s"',
        '"99999999999h"',
        '"1.1.1s"',
        '"٣s"',
        "0x7fffffffffffffffff",
        "1_000",
    ),
    *('"fifo"', '"loop"', '"locked"', '"alembic.ini"', '"surefoot.toml"', '"r2"', "{a = {b = {}}}"),
]
KEYS = [
    *("alembic", "alembic_section", "alembic_config", "flask_app", "env_runner", "version_table"),
    *("version_table_schema", "driver", "url_variables", "init", "init_revision", "former_init"),
    *("seeds", "search_path", "application", "catalog", "ambiguous", "evidence", "ahead", "heads"),
    *("wait", "lock_wait", "lock_timeout", "lock_retries", "url", "nonsense", '"é"', '""', "a.b"),
]


def special_files(application: Application) -> None:
    """What a name may lead to besides an ordinary file."""
    import os

    os.mkfifo(application.root / "fifo")
    (application.root / "loop").symlink_to("loop")
    application.write("locked", "SELECT 1;\n").chmod(0)


def configuration(world: World, rng: random.Random) -> Case:
    application = world.application()
    special_files(application)
    file = application.root / "surefoot.toml"
    content = file.read_bytes()
    allowed = ANYTHING
    user = None
    match rng.randrange(12):
        case 0:
            what, content = "raw bytes", mutated(content, rng)
        case 1:
            what, content = (
                "a huge value",
                content + b'version_table = "' + b"x" * 5_000_000 + b'"\n',
            )
        case 2:
            deep = rng.choice([100, 1000, 20_000])
            what = f"{deep} brackets"
            content += (
                rng.choice([b"seeds", b"x", b"init"]) + b" = " + b"[" * deep + b"]" * deep + b"\n"
            )
        case 3:
            what, content = "many keys", b"".join(b"k%d = 1\n" % i for i in range(20_000))
        case 4:
            what = "dotted keys, deep"
            content = b".".join([b"a"] * rng.choice([100, 20_000])) + b" = 1\n"
        case 5:
            what = rng.choice(["a directory", "a loop", "no right", "a fifo"])
            file.unlink()
            if what == "a directory":
                file.mkdir()
            elif what == "no right":
                file.write_bytes(content)
                file.chmod(0)
                user = NOBODY
            else:
                file.symlink_to("loop" if what == "a loop" else "fifo")
        case 6:
            what = "a pyproject.toml"
            file.unlink()
            section = mutated(b"[tool.surefoot]\n" + content, rng)
            application.write("pyproject.toml", section)
        case _:
            key, value = rng.choice(KEYS), rng.choice(VALUES)
            what = f"{key} = {value}"
            lines = [x for x in content.splitlines() if not x.startswith(key.encode())]
            content = b"\n".join([*lines, f"{key} = {value}\n".encode()])
    if file.is_file() and not file.is_symlink() and user is None:
        file.write_bytes(content)
        try:
            tomllib.loads(content.decode())
        except (ValueError, RecursionError):
            allowed = frozenset({2})
    commands = rng.choice([ANY, [["up"]], [["plan"]]])
    case = _case(
        world, rng, what, application, commands, allowed, rng.choice(list(STATES)), user=user
    )
    if case.arguments[0] == "explain":
        case.allowed = ANYTHING
    if rng.random() < 0.1:
        case.arguments += ["--config", rng.choice(["fifo", "loop", "locked", ".", "é\udcff", ""])]
        case.allowed = ANYTHING
    return case


STATES = ("empty", "behind", "head", "unversioned")


def catalogue(world: World, rng: random.Random) -> Case:
    application = world.application()
    special_files(application)
    file = application.root / "migrations/surefoot-catalog.txt"
    content = file.read_bytes()
    user = None
    kind = rng.randrange(10)
    if kind == 0:
        what = rng.choice(["a directory", "a loop", "no right", "a fifo", "nothing", "no bytes"])
        file.unlink()
        if what == "a directory":
            file.mkdir()
        elif what == "no bytes":
            file.write_bytes(b"")
        elif what == "no right":
            file.write_bytes(content)
            file.chmod(0)
            user = NOBODY
        elif what != "nothing":
            file.symlink_to(application.root / ("loop" if what == "a loop" else "fifo"))
        harmless = False
    else:
        what = "mutated"
        changed = mutated(content, rng)
        file.write_bytes(changed)
        harmless = _plain(changed) == _plain(content)
        # whole blocks may be missing, or stand in another order: `up` tells that it's stale
        harmless = harmless or sorted(_plain(changed).split("\n")) == sorted(
            _plain(content).split("\n")
        )
    commands = rng.choice([READING[:4], READING[:4], LOOKING, ACTING])
    allowed = REFUSED if commands[0][0] == "catalog" and not harmless else ANYTHING
    return _case(
        world,
        rng,
        what,
        application,
        commands,
        allowed,
        rng.choice(["behind", "unversioned"]),
        user=user,
    )


def _plain(text: bytes) -> str:
    """Without what the file's form leaves open: line ends, blank lines, comments, a mark."""
    lines = text.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    kept = [line for line in lines[1:] if line.strip() and not line.startswith("#")]
    return "\n".join(kept)


# {p} is the password as it is, {q} percent-encoded, {h} host:port, {d} the database, {u} the user.
RIGHT = [
    *(
        "postgresql://{u}:{q}@{h}/{d}",
        "postgres://{u}:{q}@{h}/{d}",
        " postgresql://{u}:{q}@{h}/{d}\n",
    ),
    *("postgresql+psycopg://{u}:{q}@{h}/{d}", "postgresql+psycopg2://{u}:{q}@{h}/{d}?"),
    *("postgresql://{h}/{d}?user={u}&password={q}", "postgresql://{u}:{q}@/{d}?host={n}&port={o}"),
    *(
        "host={n} port={o} user={u} dbname={d} password={k}",
        "postgresql://{u}:{q}@{h}/{d}?sslmode=prefer",
    ),
]
WRONG = [
    *(
        "mysql://{u}:{q}@{h}/{d}",
        "http://{u}:{q}@{h}/{d}",
        "postgresql:/{u}:{q}@{h}/{d}",
        "{u}:{q}@{h}",
    ),
    *(
        "'postgresql://{u}:{q}@{h}/{d}'",
        '"postgresql://{u}:{q}@{h}/{d}"',
        "postgresql//{u}:{q}@{h}/{d}",
    ),
    *(
        "postgresql://{u}:{q}@{n}:port/{d}",
        "postgresql://{u}:{q}@{n}:99999/{d}",
        "postgresql://{u}:{q}@",
    ),
    *(
        "postgresql://{u}:{q}@{n}:-1/{d}",
        "postgresql://{u}:{q}@{n}:0/{d}",
        "postgresql://{u}:{q}@[::1/{d}",
    ),
    *("postgresql://{u}:{q}@{n}:{o}:{o}/{d}", "postgresql://{u}:{q}@{h}/{d}?sslmode=nonsense"),
    *(
        "postgresql://{u}:{q}@{h}/{d}?connect_timeout=abc",
        "postgresql://{u}:{q}@{h}/{d}?options=-c%20x",
    ),
    *(
        "postgresql://{u}:{q}@{h}/{d}?service=nowhere",
        "postgresql://{u}:{q}@{h}/%zz",
        "postgresql://{u}:{q}",
    ),
    *(
        "postgresql://{u}:{q}@{h}/nowhere_{d}",
        "postgresql://nobody:{q}@{h}/{d}",
        "host={n} password={p}",
    ),
    *(
        "postgresql://{u}:{q}x@{h}/{d}",
        "postgresql://{u}:{q}@{h}/{d}%00",
        "postgresql://{u}:{q}%00@{h}/{d}",
    ),
    *(
        "postgresql://{u}:{q}@{h}/{d}\n?x",
        "host={n} port={o} user={u} dbname={d} password='{p}",
        "password={p}",
    ),
    *("host={n} nonsense=1 password={k}", "postgresql://{u}:{q}@{n}:1/{d}"),
    *("postgresql://{u}:{q}@nowhere.invalid/{d}", "postgresql://{u}:{q}@{h}/{d}?channel_binding=x"),
    *(
        "postgresql://{u}:{q}@{h}/{d}?target_session_attrs=standby",
        "jdbc:postgresql://{h}/{d}?password={q}",
    ),
    *(
        "postgresql://{u}:{q}@{h}/{d}?sslmode=require",
        "postgresql+nonsense://{u}:{q}@nowhere.invalid/x",
    ),
    *(
        "sqlite:///{q}",
        "postgresql://{u}:{q}@é.invalid/{d}",
        "postgresql://{u}:{q}@{h}/{d}?sslrootcert=/x&sslmode=verify-full",
    ),
    *(
        "postgresql://{u}:{q}@{h}/{d}?password=x{q}",
        "service=nowhere password={k}",
        "postgresql://{u}@{h}/{d}",
    ),
    *(
        "postgresql://{u}:{q}@{n},{n}:1,2/{d}",
        "postgresql://{u}:{q}@{h}/{d}?client_encoding=nonsense",
    ),
    *(
        "postgresql://{u}:{q}@{h}/{d}?passfile=/nowhere&require_auth=none",
        "postgresql://{u}:{q}@{h}/" + "x" * 100_000,
    ),
]
OPEN = [
    *(
        "postgresql://{u}:{p}@{h}/{d}",
        "postgresql://{u}:{q}@{h}/{d}?{p}",
        "postgresql://{u}:{q}@{h}/{d}/{p}",
    ),
    *(
        "postgresql://{u}:{q}@{h}",
        "postgresql://{u}:{+}@{h}/{d}",
        "host={n} port={o} user={u} dbname={d} password={p}",
    ),
    *(
        "{p}",
        "postgresql://{u}:{q}@{h}/{d}?application_name={q}",
        "postgresql://{u}:{q}@{h}/{d}?x={q}",
    ),
    *(
        "postgresql://{u}:{q}@{h}/{d}?options=-csearch_path%3D{q}",
        "postgresql://{u}:{q}@{h}/{d}#{q}",
    ),
    *("postgresql+asyncpg://{u}:{q}@{h}/{d}?ssl={q}"),
    *(
        "dbname='{d}' user=\"{u}\" password={q}",
        "=",
        "host=",
        "://",
        "@",
        "%",
    ),
]


def address(world: World, rng: random.Random) -> Case:
    application = world.application()
    allowed, forms = rng.choice([(frozenset({0, 3}), RIGHT), (REFUSED, WRONG), (ANYTHING, OPEN)])
    commands = [["status"], ["status"], ["plan"], ["drift"], ["status", "--json"]]
    case = _case(world, rng, "", application, commands, allowed, "behind")
    del case.environ["SUREFOOT_DATABASE_URL_FILE"]
    parts = world.address(case.database, case.role)
    password = parts["password"]
    form = rng.choice(forms)
    escaped = password.replace("\\", "\\\\").replace("'", "\\'")
    url = form
    for key, value in {
        "{p}": password,
        "{q}": quote(password, safe=""),
        "{+}": quote_plus(password),
        "{k}": f"'{escaped}'",
        "{u}": parts["user"],
        "{h}": f"{parts['host']}:{parts['port']}",
        "{n}": parts["host"],
        "{o}": parts["port"],
        "{d}": parts["dbname"],
    }.items():
        url = url.replace(key, value)
    place = rng.choice(["flag", "flag", "SUREFOOT_DATABASE_URL", "DATABASE_URL", "file", "ini"])
    case.what = f"{place}: {form[:80]}"
    case.user_shows_it = True
    match place:
        case "flag":
            case.arguments = [*case.arguments, "--database-url", url]
        case "file":
            case.user_shows_it = False
            (application.root / "address").write_text(url)
            case.environ["DATABASE_URL_FILE"] = str(application.root / "address")
        case "ini":
            case.user_shows_it = False
            case.environ["PGCONNECT_TIMEOUT"] = "2"
            application.ini("sqlalchemy.url = " + url.replace("%", "%%"))
            case.allowed = allowed if url.startswith("postgres") and "\n" not in url else ANYTHING
        case _:
            case.environ[place] = url
    if not url.strip() or (place == "flag" and not url):
        case.allowed = ANYTHING
    return case


def parameters(world: World, rng: random.Random) -> Case:
    """PG* and POSTGRES_* variables, files of secrets, a service file."""
    application = world.application()
    commands = [["status"], ["plan"], ["drift"]]
    case = _case(world, rng, "", application, commands, ANYTHING, "behind")
    del case.environ["SUREFOOT_DATABASE_URL_FILE"]
    parts = world.address(case.database, case.role)
    case.user_shows_it = True
    spoilt = rng.choice([None, None, *parts])
    if spoilt:
        parts[spoilt] = rng.choice(["", "x" * 5000, "\n", "é", "-1", "a b", "'", "a\\b", "%00"])
    kind = rng.choice(["PG", "POSTGRES", "file", "service"])
    case.what = f"{kind}, {spoilt}"
    case.allowed = frozenset({0, 3}) if spoilt is None else ANYTHING
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    if kind == "service":
        case.user_shows_it = False
        lines = "".join(f"{key}={value}\n" for key, value in parts.items())
        content = f"[chaos]\n{lines}".encode()
        if rng.random() < 0.5:
            content, case.what, case.allowed = mutated(content, rng), "service, mutated", ANYTHING
        (application.root / "service.conf").write_bytes(content)
        case.environ |= {
            "PGSERVICE": "chaos",
            "PGSERVICEFILE": str(application.root / "service.conf"),
        }
        if parts["password"] != parts["password"].strip() or "\n" in parts["password"]:
            case.allowed = ANYTHING
        return case
    for key, name in {**names, "dbname": "DATABASE" if kind == "PG" else "DB"}.items():
        if kind == "file" and rng.random() < 0.7:
            file = application.root / f"secret_{key}"
            file.write_text(parts[key] + rng.choice(["", "\n"]))
            case.environ[f"POSTGRES_{name}_FILE"] = str(file)
        else:
            case.environ[f"{'PG' if kind == 'PG' else 'POSTGRES_'}{name}"] = parts[key]
    return case


def script(world: World, rng: random.Random) -> Case:
    application = world.application()
    special_files(application)
    kind = rng.choice(["init", "init", "seed"])
    file = application.root / ("init.sql" if kind == "init" else "seeds/first.sql")
    content = file.read_bytes()
    allowed, user = ANYTHING, None
    name = str(file.relative_to(application.root))
    match rng.randrange(6):
        case 0:
            what = rng.choice(
                ["fifo", "loop", "locked", "seeds", "nowhere", "/dev/zero", "/dev/stdin"]
            )
            user = NOBODY if what == "locked" else None
            name = what
            allowed = frozenset({2, 4})
        case 1:
            what, allowed = "binary", frozenset({2, 4, 5})
            file.write_bytes(b"\x7fELF" + rng.randbytes(rng.choice([10, 5000])))
        case 2:
            what, allowed = "cut off", ANYTHING
            file.write_bytes(content[: rng.randrange(len(content))])
        case _:
            what = "mutated"
            file.write_bytes(mutated(content, rng))
    key = "init" if kind == "init" else "seeds"
    config = (application.root / "surefoot.toml").read_text()
    config = re.sub(r"(?m)^seeds.*\n", "", config)
    application.config(f"{config}{key} = ['{name}']\n")
    case = _case(
        world,
        rng,
        f"{kind} script: {what}",
        application,
        [["up"], ["up"], ["up", "--json"], ["plan"], ["status"]],
        allowed,
        rng.choice(["empty", "empty", "behind"]) if kind == "init" else "head",
        user=user,
    )
    if case.database.endswith("behind") or case.arguments[0] != "up":
        case.allowed = ANYTHING  # it isn't run
    return case


_VERSION_VALUES = [
    *(
        "''",
        "' '",
        "'r2 '",
        "'R2'",
        "'r1,r2'",
        "'é'",
        "'r9'",
        "'r1'",
        "'r3'",
        "E'r2\\n'",
        "'rr2'",
        "'head'",
    ),
    *("repeat('x', 32)", "'<script>'", "E'\\x1b[31m'", "'base'", "'r2'", "'None'", "'%s'", "'{}'"),
]
VERSION_TABLES = [
    "UPDATE alembic_version SET version_num = {v}",
    "INSERT INTO alembic_version VALUES ({v})",
    "DELETE FROM alembic_version; INSERT INTO alembic_version VALUES ({v}), ({w})",
    "ALTER TABLE alembic_version ALTER version_num TYPE text; UPDATE alembic_version SET"
    " version_num = repeat('x', 1000000)",
    "ALTER TABLE alembic_version DROP CONSTRAINT alembic_version_pkc; ALTER TABLE alembic_version"
    " ALTER version_num DROP NOT NULL; INSERT INTO alembic_version VALUES (NULL), (NULL), ({v})",
    "ALTER TABLE alembic_version DROP CONSTRAINT alembic_version_pkc; INSERT INTO alembic_version"
    " VALUES ('r2'), ('r2')",
    "ALTER TABLE alembic_version ALTER version_num TYPE {t} USING NULL",
    "DROP TABLE alembic_version; CREATE TABLE alembic_version (version_num {t})",
    "DROP TABLE alembic_version; CREATE TABLE alembic_version (other text)",
    "DROP TABLE alembic_version; CREATE TABLE alembic_version ()",
    "ALTER TABLE alembic_version ADD version text; UPDATE alembic_version SET version = {v}",
    'ALTER TABLE alembic_version RENAME version_num TO "VERSION_NUM"',
    "DROP TABLE alembic_version; CREATE VIEW alembic_version AS SELECT {v}::varchar AS version_num",
    "DROP TABLE alembic_version; CREATE MATERIALIZED VIEW alembic_version AS SELECT {v} AS version_num",
    "DROP TABLE alembic_version; CREATE VIEW alembic_version AS SELECT (1/0)::text AS version_num",
    "DROP TABLE alembic_version; CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER"
    " w; CREATE FOREIGN TABLE alembic_version (version_num text) SERVER s",
    "DROP TABLE alembic_version; CREATE TABLE alembic_version (version_num text) PARTITION BY LIST"
    " (version_num); CREATE TABLE v1 PARTITION OF alembic_version DEFAULT; INSERT INTO"
    " alembic_version VALUES ({v})",
    "DROP TABLE alembic_version; CREATE SEQUENCE alembic_version",
    "DROP TABLE alembic_version; CREATE TYPE alembic_version AS (version_num text)",
    "DROP TABLE alembic_version; CREATE INDEX alembic_version ON people (id)",
    "ALTER TABLE alembic_version ENABLE ROW LEVEL SECURITY; ALTER TABLE alembic_version FORCE ROW"
    " LEVEL SECURITY; CREATE POLICY p ON alembic_version USING (1/0 > 0)",
    "CREATE SCHEMA other; ALTER TABLE alembic_version SET SCHEMA other",
    "CREATE SCHEMA other; CREATE TABLE other.alembic_version AS SELECT {v}::text AS version_num",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$; CREATE"
    " TRIGGER t BEFORE UPDATE ON alembic_version FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$; CREATE"
    " TRIGGER t BEFORE UPDATE OR INSERT ON alembic_version FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE RULE r AS ON UPDATE TO alembic_version DO INSTEAD NOTHING",
    "INSERT INTO alembic_version SELECT 'x' || i FROM generate_series(1, 5000) AS i",
    "DELETE FROM alembic_version",
    "CREATE TABLE alembic_version_child () INHERITS (alembic_version); INSERT INTO"
    " alembic_version_child VALUES ({v})",
    "ALTER TABLE alembic_version SET UNLOGGED",
    "ALTER TABLE alembic_version ALTER version_num TYPE varchar(2)",
]
TYPES = [
    *(
        "int",
        "text",
        "bytea",
        "uuid",
        "json",
        "text[]",
        "char(32)",
        "name",
        "boolean",
        "xml",
        "int4range",
    ),
    *("timestamptz", "point", "bigint", "numeric", "oid", '"char"', "money", "bit(8)", "regclass"),
]


def version_table(world: World, rng: random.Random) -> Case:
    form = rng.choice(VERSION_TABLES)
    value, other = rng.sample(_VERSION_VALUES, 2)
    statements = form.replace("{v}", value).replace("{w}", other).replace("{t}", rng.choice(TYPES))
    commands = [*LOOKING, *ACTING]
    try:
        return _case(
            world,
            rng,
            statements[:100],
            world.application(),
            commands,
            ANYTHING,
            "behind",
            statements,
        )
    except NotTaken:
        return version_table(world, rng)


JOURNALS = [
    "DROP TABLE surefoot.journal",
    "DROP TABLE surefoot.journal; CREATE TABLE surefoot.journal ()",
    "DROP TABLE surefoot.journal; CREATE TABLE surefoot.journal (id int, step int, name bytea)",
    "DROP TABLE surefoot.journal; CREATE VIEW surefoot.journal AS SELECT 1 AS id",
    "DROP TABLE surefoot.journal; CREATE VIEW surefoot.journal AS SELECT 1/0 AS id",
    "DROP TABLE surefoot.journal; CREATE SEQUENCE surefoot.journal",
    "DROP TABLE surefoot.journal; CREATE TYPE surefoot.journal AS (id int)",
    "ALTER TABLE surefoot.journal ADD other int NOT NULL DEFAULT 1",
    "ALTER TABLE surefoot.journal ADD other int CHECK (other > 0) NOT NULL DEFAULT 1; ALTER TABLE"
    " surefoot.journal ALTER other DROP DEFAULT",
    "ALTER TABLE surefoot.journal DROP COLUMN {c}",
    "ALTER TABLE surefoot.journal RENAME COLUMN {c} TO other",
    "ALTER TABLE surefoot.journal ALTER {c} DROP NOT NULL; UPDATE surefoot.journal SET {c} = NULL",
    "ALTER TABLE surefoot.journal ALTER {c} TYPE text USING {c}::text; UPDATE surefoot.journal SET {c} = {v}",
    "ALTER TABLE surefoot.journal ALTER {c} TYPE {t} USING NULL",
    "UPDATE surefoot.journal SET step = {v}",
    "UPDATE surefoot.journal SET name = {v}",
    "DELETE FROM surefoot.journal",
    "DELETE FROM surefoot.journal WHERE step = 'revision'",
    "ALTER TABLE surefoot.journal ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    "CREATE RULE r AS ON INSERT TO surefoot.journal DO INSTEAD NOTHING",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$; CREATE"
    " TRIGGER t BEFORE INSERT ON surefoot.journal FOR EACH ROW EXECUTE FUNCTION f()",
    "INSERT INTO surefoot.journal SELECT * FROM surefoot.journal",
    "ALTER SCHEMA surefoot RENAME TO other",
    "CREATE TABLE surefoot.other (a int)",
    "DROP SCHEMA surefoot CASCADE; CREATE SCHEMA surefoot",
    "INSERT INTO surefoot.journal (step, name) VALUES ({v}, {w})",
    "INSERT INTO surefoot.journal (step, name) VALUES ('begun', {v}), ('reached', {w})",
]


def journal(world: World, rng: random.Random) -> Case:
    state = rng.choice(["behind", "head"])
    form = rng.choice(JOURNALS)
    values = [
        *_VERSION_VALUES,
        "'interrupted'",
        "'begun'",
        "'reached'",
        "'adopted'",
        "'seed'",
        "'{'",
    ]
    value, other = rng.sample(values, 2)
    columns = [
        name
        for (name,) in world.looking[world.database(state)].execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'surefoot.journal'::regclass"
            " AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        )
    ]
    statements = form.replace("{c}", rng.choice(columns)).replace("{t}", rng.choice(TYPES))
    statements = statements.replace("{v}", value).replace("{w}", other)
    commands = [*LOOKING, *ACTING]
    try:
        return _case(
            world,
            rng,
            statements[:100],
            world.application(),
            commands,
            ANYTHING,
            state,
            statements,
        )
    except NotTaken:
        return journal(world, rng)


RAISING = [
    "raise Exception('no way to ' + url)",
    "raise SystemExit(0)",
    "raise SystemExit(url)",
    "raise SystemExit(3)",
    "raise KeyboardInterrupt",
    "raise GeneratorExit",
    "raise StopIteration",
    "raise MemoryError(url)",
    "raise BaseException(url)",
    "def f(): f()\nf()",
    "import nowhere",
    "raise UnicodeDecodeError('utf-8', b'x', 0, 1, url)",
    "1/0",
    "assert False",
    "raise OSError(5, url)",
    "class E(Exception):\n    def __str__(self): raise ValueError(url)\nraise E",
    "class E(Exception):\n    def __str__(self): return None\nraise E",
    "print(url)\nraise Exception",
    "import logging\nlogging.error(url)\nraise Exception(url.encode())",
    "import sys\nprint(url, file=sys.stderr)\nsys.exit()",
    "import asyncio\nraise asyncio.CancelledError(url)",
    "raise ExceptionGroup(url, [Exception(url)])",
    "raise Exception(*[url] * 9) from ValueError(url)",
    "import warnings\nwarnings.warn(url)\nraise Exception('x' * 1000000)",
    "syntax error here",
    "from sqlalchemy import create_engine\ncreate_engine(url.replace('5', '6') + 'x').connect()",
    "from sqlalchemy.engine import make_url\nraise Exception(make_url('postgresql://' + url))",
    "import os\nos.environ.clear()\nraise Exception(url)",
    "import sys\nsys.stdout = sys.stderr = None\nraise Exception(url)",
    "import sys\nsys.stderr.close()\nraise Exception(url)",
    "raise Exception('\\udcff\\x00\\x1b[2J')",
    "import sqlalchemy.exc\nraise sqlalchemy.exc.OperationalError('SELECT 1', {'password': url}, Exception(url))",
    "import psycopg2\npsycopg2.connect(url.replace('chaos_', 'chaos_x'))",
    "return",
    "await x",
    "import threading\nt = threading.Thread(target=lambda: print(url)); t.start(); t.join(); raise Exception",
    "raise type('E', (BaseException,), {})(url)",
    "import signal\nsignal.raise_signal(signal.SIGTERM)",
    "import traceback\ntry:\n    raise Exception(url)\nexcept Exception:\n    traceback.print_exc()\n    raise",
    "import sys\nsys.setrecursionlimit(50)\nraise Exception(url)",
    "import builtins\nbuiltins.print = None\nraise Exception(url)",
    "raise Exception(url.replace('@', '%40'))",
    "import urllib.parse\nraise Exception(urllib.parse.unquote(url))",
    "import json\nraise Exception(json.dumps({'url': urllib.parse.unquote(url)}))",
    "raise Exception(repr(urllib.parse.unquote(url)))",
]
REVISIONS = [
    ("syntax", lambda t: t + b"\ndef ("), ("no down_revision", lambda t: t.replace(b"down_revision =", b"x =")),
    ("its own parent", lambda t: t.replace(b"down_revision = 'r2'", b"down_revision = 'r3'")),
    ("a missing parent", lambda t: t.replace(b"down_revision = 'r2'", b"down_revision = 'r9'")),
    ("the id of another", lambda t: t.replace(b"revision = 'r3'", b"revision = 'r2'", 1)),
    ("a number for an id", lambda t: t.replace(b"revision = 'r3'", b"revision = 3", 1)),
    ("None for an id", lambda t: t.replace(b"revision = 'r3'", b"revision = None", 1)),
    ("an empty id", lambda t: t.replace(b"revision = 'r3'", b"revision = ''", 1)),
    ("a second base", lambda t: t.replace(b"down_revision = 'r2'", b"down_revision = None")),
    ("two heads", lambda t: t.replace(b"down_revision = 'r2'", b"down_revision = 'r1'")),
    ("depends on itself", lambda t: t.replace(b"depends_on = None", b"depends_on = 'r3'")),
    ("depends on nothing known", lambda t: t.replace(b"depends_on = None", b"depends_on = 'r9'")),
    ("a list for a parent", lambda t: t.replace(b"down_revision = 'r2'", b"down_revision = [['r2']]")),
    ("not UTF-8", lambda t: t + b"\n# \xff\n"), ("a zero byte", lambda t: t + b"\0"),
    ("no upgrade", lambda t: t.replace(b"def upgrade", b"def other")), ("empty", lambda t: b""),
    ("an odd label", lambda t: t.replace(b"branch_labels = None", b"branch_labels = ('r1', 5)")),
]  # fmt: skip


def history(world: World, rng: random.Random) -> Case:
    application = world.application()
    special_files(application)
    allowed, user, state = ANYTHING, None, "behind"
    commands = [["up"], ["up"], *LOOKING, ["adopt", "r2"]]
    begin = "import os, urllib.parse\nurl = os.environ['DATABASE_URL']\n"
    env = application.root / "migrations/env.py"
    third = application.root / "migrations/versions/r3.py"
    match rng.randrange(7):
        case 0:
            body = rng.choice(RAISING)
            what = f"env.py: {body!r}"
            before, after = rng.choice([("", env.read_text()), (env.read_text(), "")])
            application.write("migrations/env.py", f"{before}\n{begin}{body}\n{after}")
            if not before:
                allowed, commands = REFUSED | {6}, [["up"], ["plan"], ["up", "--json"]]
            else:
                allowed = ANYTHING | {6}
        case 1:
            body = rng.choice(RAISING).replace("\n", "\n    ")
            what = f"upgrade(): {body!r}"
            text = third.read_text().replace(
                "def upgrade():\n",
                f"def upgrade():\n    import os, urllib.parse\n    url = os.environ['DATABASE_URL']\n    {body}\n",
            )
            application.write("migrations/versions/r3.py", text)
            commands, allowed = [["up"], ["up", "--json"]], REFUSED
            if body == "return":
                allowed = ANYTHING | {6}
        case 2:
            what, change = rng.choice(REVISIONS)
            what = f"a revision: {what}"
            application.write("migrations/versions/r3.py", change(third.read_bytes()))
            allowed = frozenset({2, 3, 4, 5, 0})
            commands = [["up"], ["plan"], ["status"], ["up", "--json"]]
        case 3:
            what = "a revision, mutated"
            application.write("migrations/versions/r3.py", mutated(third.read_bytes(), rng))
            allowed = ANYTHING | {6}
        case 4:
            what = "alembic.ini, mutated"
            ini = application.root / "alembic.ini"
            application.write("alembic.ini", mutated(ini.read_bytes(), rng))
        case 5:
            what = "env.py, mutated"
            application.write("migrations/env.py", mutated(env.read_bytes(), rng))
            allowed = ANYTHING | {6}
        case _:
            name = rng.choice(["migrations/versions/r3.py", "migrations/env.py", "alembic.ini"])
            kind = rng.choice(["fifo", "loop", "locked", "seeds", "nowhere"])
            what = f"{name}: {kind}"
            if kind == "fifo" and name.endswith(".py"):
                kind = "loop"  # Python waits for such a module, and so does Alembic
            (application.root / name).unlink()
            (application.root / name).symlink_to(application.root / kind)
            user = NOBODY if kind == "locked" else None
    return _case(world, rng, what[:120], application, commands, allowed, state, user=user)


WORDS = [
    *(
        "up",
        "status",
        "plan",
        "adopt",
        "repair",
        "drift",
        "catalog",
        "dump",
        "explain",
        "init",
        "--json",
    ),
    *(
        "--help",
        "-h",
        "--version",
        "--",
        "-",
        "",
        "--config",
        "surefoot.toml",
        "nowhere.toml",
        "r1",
        "r2",
    ),
    *(
        "--database-url",
        "--accept-difference",
        "--yes",
        "--revision",
        "-o",
        "--check",
        "--server",
        "show",
    ),
    *(
        "diff",
        "check",
        "build",
        "é",
        "\udcff",
        "\n",
        "x" * 10_000,
        "--json=1",
        "--nonsense",
        "config-invalid",
    ),
    *(
        "--states",
        "true",
        "/",
        "..",
        "--from-init",
        "--release",
        "1.0",
        "%s",
        "{}",
        "\x1b[31m",
    ),
    *(
        "--dry-run",
        "--force",
        "-v",
        "-q",
        "--all",
        "completion",
        "bash",
        "--stepwise",
        "--finish",
        "--undo",
    ),
]


def command_line(world: World, rng: random.Random) -> Case:
    application = world.application()
    words = [rng.choice(WORDS[:9] if not i else WORDS) for i in range(rng.randint(0, 6))]
    if "build" in words or "check" in words or "dump" in words:
        words += ["--server", "nowhere"]  # without one, a server would be started
    case = _case(world, rng, "", application, [words], ANYTHING, rng.choice(list(STATES)))
    case.what = f"{words!r}"[:120]
    return case


AREAS: dict[str, Callable[[World, random.Random], Case]] = {
    "configuration": configuration,
    "catalogue files": catalogue,
    "database addresses": address,
    "variables and service files": parameters,
    "init and seed scripts": script,
    "version tables": version_table,
    "journals": journal,
    "histories and env.py": history,
    "command lines": command_line,
}


def root_of(case: Case) -> Path:
    return case.application.root
