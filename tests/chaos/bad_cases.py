"""What every case of bad input has, and how files are spoilt."""

import os
import random
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.bad_world import PASSWORDS, World
from tests.support.project import Application

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
    says_it: bool = False  # so spoilt that nobody can tell the password from a name
    user_shows_it: bool = False  # the password is in the user's own environment or arguments


def a_case(
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

STATES = ("empty", "behind", "head", "unversioned")


def special_files(application: Application) -> None:
    """What a name may lead to besides an ordinary file."""
    os.mkfifo(application.root / "fifo")
    (application.root / "loop").symlink_to("loop")
    application.write("locked", "SELECT 1;\n").chmod(0)
