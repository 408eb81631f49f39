"""Revision files, env.py and alembic.ini, spoilt; and odd command lines."""

import random

from tests.chaos.bad_cases import (
    ANYTHING,
    LOOKING,
    REFUSED,
    STATES,
    Case,
    a_case,
    mutated,
    special_files,
)
from tests.chaos.bad_world import World
from tests.chaos.process import NOBODY

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
    "from sqlalchemy import exc\n"
    "raise exc.OperationalError('SELECT 1', {'password': url}, Exception(url))",
    "import psycopg2\npsycopg2.connect(url.replace('chaos_', 'chaos_x'))",
    "return",
    "await x",
    "from threading import Thread\n"
    "t = Thread(target=lambda: print(url)); t.start(); t.join(); raise Exception",
    "raise type('E', (BaseException,), {})(url)",
    "import signal\nsignal.raise_signal(signal.SIGTERM)",
    "import traceback\n"
    "try:\n    raise Exception(url)\nexcept Exception:\n    traceback.print_exc()\n    raise",
    "import sys\nsys.setrecursionlimit(50)\nraise Exception(url)",
    "import builtins\nbuiltins.print = None\nraise Exception(url)",
    "raise Exception(url.replace('@', '%40'))",
    "import urllib.parse\nraise Exception(urllib.parse.unquote(url))",
    "import json\nraise Exception(json.dumps({'url': urllib.parse.unquote(url)}))",
    "raise Exception(repr(urllib.parse.unquote(url)))",
]
REVISIONS = [
    ("syntax", lambda t: t + b"\ndef ("),
    ("no down_revision", lambda t: t.replace(b"down_revision =", b"x =")),
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
    (
        "a list for a parent",
        lambda t: t.replace(b"down_revision = 'r2'", b"down_revision = [['r2']]"),
    ),
    ("not UTF-8", lambda t: t + b"\n# \xff\n"),
    ("a zero byte", lambda t: t + b"\0"),
    ("no upgrade", lambda t: t.replace(b"def upgrade", b"def other")),
    ("empty", lambda t: b""),
    ("an odd label", lambda t: t.replace(b"branch_labels = None", b"branch_labels = ('r1', 5)")),
]


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
                "def upgrade():\n    import os, urllib.parse\n"
                f"    url = os.environ['DATABASE_URL']\n    {body}\n",
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
    return a_case(world, rng, what[:120], application, commands, allowed, state, user=user)


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
    case = a_case(world, rng, "", application, [words], ANYTHING, rng.choice(list(STATES)))
    case.what = f"{words!r}"[:120]
    return case
