"""Virtual environments that are made once and kept: the pins are part of their name.

Standard library only: this runs before anything is installed.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("SUREFOOT_CACHE") or ROOT / ".cache")

# What the wheel is made of; another content is another wheel.
_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "src", "examples", "native", "hatch_build.py")


class NotRun(Exception):
    """Something that this machine doesn't have; never counted as passed."""


class Failed(Exception):
    """A command failed, or two things that must be equal are not."""


def run(*command: object, directory: Path = ROOT, **environment: str) -> str:
    """The command's standard output. Raises Failed with the end of what it said."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=directory,
        env={**environment_variables(), **environment},
        capture_output=True,
        text=True,
        timeout=3600,
    )
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()
        said = [line for line in said if not line.startswith("WARNING: ")]
        raise Failed(f"{command[0]} … ended with {done.returncode}:\n" + "\n".join(said[-25:]))
    return done.stdout


def environment_variables() -> dict[str, str]:
    """No variable of the machine's may name a database, or another Python's files."""
    unwanted = ("PG", "POSTGRES_", "DATABASE_", "SUREFOOT_", "PYTHON", "VIRTUAL_ENV", "COV_")
    return {n: v for n, v in os.environ.items() if not n.startswith(unwanted)}


def version_of(python: str) -> tuple[int, ...] | None:
    """The version of a Python program, None if there is no such program or it doesn't work."""
    program = shutil.which(python)
    if program is None:
        return None
    ask = "import sys; print(*sys.version_info[:3])"  # a pyenv shim may be there and not work
    done = subprocess.run([program, "-I", "-c", ask], capture_output=True, text=True)
    return tuple(map(int, done.stdout.split())) if done.returncode == 0 else None


def programs_of(minor: int) -> list[str]:
    """Where Python 3.`minor` may be: on PATH, or among pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = sorted(pyenv.glob(f"3.{minor}.*/bin/python3.{minor}"))
    return [f"python3.{minor}", *map(str, reversed(found))]


def find_python(limits: str) -> str:
    """A Python within limits like ">=3.11,<3.13": this one, or the newest that there is.

    Raises NotRun.
    """
    others = [program for minor in range(14, 10, -1) for program in programs_of(minor)]
    for python in (sys.executable, *others):
        version = version_of(python)
        if version is not None and _within(version, limits):
            return shutil.which(python) or python
    raise NotRun(f"there is no Python {limits}")


def _within(version: tuple[int, ...], limits: str) -> bool:
    for limit in filter(None, (part.strip() for part in limits.split(","))):
        match = re.fullmatch(r"(>=|<)\s*([\d.]+)", limit)
        if match is None:
            raise Failed(f"can't read the Python limit {limit!r}")
        bound = tuple(map(int, match[2].split(".")))
        if (version >= bound) != (match[1] == ">="):
            return False
    return True


def wheel(python: Path) -> Path:
    """A wheel of this checkout, made by that environment's pip; the last one if nothing changed."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        for file in sorted([ROOT / name, *(ROOT / name).rglob("*")]):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    directory = CACHE / "wheels" / digest.hexdigest()[:12]
    if not directory.is_dir():
        # Made beside and then moved: another process may be making the same one.
        beside = directory.with_name(f"{directory.name}.{os.getpid()}")
        run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", beside, ROOT)
        try:
            beside.rename(directory)
        except OSError:
            shutil.rmtree(beside)
    return next(directory.glob("surefoot-*.whl"))


def environment(
    area: str, name: str, python: str, packages: list[str], extra: str, *, renew: bool = False
) -> Path:
    """A virtual environment with these packages and this checkout's wheel; its directory.

    `extra` is surefoot's own, "" for none. A kept environment gets the wheel anew if the checkout
    has changed; with `renew`, also the newest of everything, once a day.
    """
    version = version_of(python)
    today = str(date.today()) if renew else ""
    pins = "\n".join([*packages, f"python {version}", extra, today])
    digest = hashlib.sha256(pins.encode()).hexdigest()[:10]
    directory = CACHE / area / f"{name}-{digest}"
    directory.parent.mkdir(parents=True, exist_ok=True)
    # one process at a time makes it, or renews its wheel
    with directory.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _made(directory, python, packages, extra)


def _made(directory: Path, python: str, packages: list[str], extra: str) -> Path:
    program, marker = directory / "bin" / "python", directory / "surefoot.txt"
    if not marker.exists():
        shutil.rmtree(directory, ignore_errors=True)
        run(python, "-m", "venv", directory)
        made = wheel(program)
        own = f"surefoot[{extra}] @ {made.as_uri()}" if extra else f"surefoot @ {made.as_uri()}"
        # pip doesn't come to an end with some applications' hundreds of dependencies
        run(program, "-m", "pip", "install", "--quiet", "uv")
        run(program, "-m", "uv", "pip", "install", "--quiet", "--python", program, *packages, own)
        marker.write_text(str(made))
    made = wheel(program)
    if marker.read_text() != str(made):
        run(program, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", made)
        marker.write_text(str(made))
    return directory
