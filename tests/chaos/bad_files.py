"""The configuration, the catalogue and the scripts, spoilt."""

import contextlib
import random
import re
import tomllib

from surefoot.catalogue.read import loads
from surefoot.errors import SurefootError
from tests.chaos.bad_cases import (
    ACTING,
    ANY,
    ANYTHING,
    LOOKING,
    READING,
    REFUSED,
    STATES,
    Case,
    a_case,
    mutated,
    special_files,
)
from tests.chaos.bad_world import World
from tests.chaos.process import NOBODY

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
    case = a_case(
        world, rng, what, application, commands, allowed, rng.choice(list(STATES)), user=user
    )
    if case.arguments[0] == "explain":
        case.allowed = ANYTHING
    if rng.random() < 0.1:
        case.arguments += ["--config", rng.choice(["fifo", "loop", "locked", ".", "é\udcff", ""])]
        case.allowed = ANYTHING
    return case


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
        # whole blocks may be missing: such a catalogue is shown, and is stale to everybody else
        harmless = False
        with contextlib.suppress(SurefootError):
            harmless = bool(loads(changed.decode("utf-8", "replace"), "the catalogue"))
    commands = rng.choice([READING[:4], READING[:4], LOOKING, ACTING])
    allowed = REFUSED if commands[0][0] == "catalog" and not harmless else ANYTHING
    return a_case(
        world,
        rng,
        what,
        application,
        commands,
        allowed,
        rng.choice(["behind", "unversioned"]),
        user=user,
    )


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
    case = a_case(
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
