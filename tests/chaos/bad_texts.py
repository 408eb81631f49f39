"""The functions that read what people write, called tens of thousands of times with bad texts.

Each gives a value or a finding, and raises nothing else; no finding repeats a password.
"""

import configparser
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from surefoot.catalogue.check import outdated
from surefoot.catalogue.read import loads
from surefoot.errors import SurefootError
from surefoot.project.config import load, seconds
from surefoot.project.locate import locate
from surefoot.revision_source.history_files import read_history
from surefoot.revision_source.ini import IniFile
from surefoot.scripts.header import split_header
from tests.chaos.bad_addresses import OPEN, RIGHT, WRONG
from tests.chaos.bad_cases import mutated
from tests.chaos.bad_files import KEYS, VALUES
from tests.chaos.bad_world import CONFIG, MARKS, PASSWORDS
from tests.chaos.table import Row


def read_configuration(rng: random.Random, root: Path) -> str:
    """surefoot.toml, or pyproject.toml."""
    content = CONFIG.encode()
    if rng.random() < 0.5:
        content = mutated(content, rng)
    else:
        for _ in range(rng.randint(1, 3)):
            content += f"{rng.choice(KEYS)} = {rng.choice(VALUES)}\n".encode()
    (root / "surefoot.toml").write_bytes(content)
    config = load(None, root).config
    assert seconds(config.wait) >= 0
    assert seconds(config.lock_wait) >= 0
    config.scripts([*config.init, *config.seeds])
    config.former()
    return "taken"


def read_catalogue(rng: random.Random, root: Path) -> str:
    """A catalogue that is taken is the one that was written."""
    content = (root / "migrations/surefoot-catalog.txt").read_bytes()
    written = loads(content.decode(), "the catalogue")
    found = loads(mutated(content, rng).decode(errors="replace"), "the catalogue")
    if found == written:
        return "the same"
    # whole blocks can be missing: then it isn't of the code's revisions, and isn't gone by
    assert outdated(found, written.history, written.init, written.origins), (
        "another catalogue is taken"
    )
    return "stale"


def read_header(rng: random.Random, root: Path) -> str:
    """The header of an init script."""
    content = mutated((root / "init.sql").read_bytes()[:2000], rng)
    return "none" if split_header(content, "init.sql") is None else "taken"


def read_address(rng: random.Random, root: Path) -> str:
    """From each place that may name a database."""
    password = rng.choice(PASSWORDS)
    escaped = password.replace("\\", "\\\\").replace("'", "\\'")
    text = form = rng.choice([*RIGHT, *WRONG, *OPEN])
    parts = {"{p}": password, "{q}": quote(password, safe=""), "{k}": f"'{escaped}'"}
    parts |= {"{+}": quote(password), "{u}": "user", "{h}": "db:5432", "{n}": "db", "{o}": "5432"}
    for key, value in {**parts, "{d}": "app"}.items():
        text = text.replace(key, value)
    plain = {text} if form in RIGHT else set[str]()
    if rng.random() < 0.5:
        text = mutated(text.encode(), rng).decode(errors="surrogateescape")
    place = rng.choice(["flag", "SUREFOOT_DATABASE_URL", "DATABASE_URL", "ini", "POSTGRES_HOST"])
    flag = text if place == "flag" else None
    environ = {} if place in ("flag", "ini") else {place: text}
    target = locate(flag, environ, text if place == "ini" else None)
    if target is None:
        return "none"
    for written in (target.url(), target.url("postgresql+asyncpg")):
        again = locate(written, {}, None)
        assert again is not None
        left = {key: value for key, value in again.parameters.items() if value}
        assert left.get("password", "") == target.parameters.get("password", "")
    if text in plain:
        assert not any(mark in repr(target) for mark in MARKS)
    return "taken"


def read_history_files(rng: random.Random, root: Path) -> str:
    """alembic.ini and the revision files, without running them."""
    kept: list[tuple[Path, bytes]] = []
    for file in (root / "alembic.ini", *sorted((root / "migrations/versions").glob("*.py"))):
        if rng.random() < 0.4:
            kept.append((file, file.read_bytes()))
            file.write_bytes(mutated(file.read_bytes(), rng))
    try:
        ini = IniFile(root / "alembic.ini", "alembic", root)
        return "none" if read_history(ini) is None else "taken"
    except (configparser.Error, UnicodeDecodeError):  # told by whoever asks
        return "refused"
    finally:
        for file, content in kept:
            file.write_bytes(content)


READERS: dict[str, Callable[[random.Random, Path], str]] = {
    "surefoot.toml": read_configuration,
    "catalogues": read_catalogue,
    "headers of init scripts": read_header,
    "addresses": read_address,
    "alembic.ini and revision files": read_history_files,
}


def read_all(root: Path, seed: int, count: int, command: str) -> tuple[list[Row], list[str]]:
    """`count` texts for each reader, and what went wrong, a line each."""
    rows: list[Row] = []
    wrong: list[str] = []
    for name, read in READERS.items():
        started = time.monotonic()
        outcomes: Counter[str] = Counter()
        before = len(wrong)
        # a history is several files
        times = count // 4 if read is read_history_files else count
        for number in range(times):
            place = f"--seed {seed} {name}, text {number}"
            try:
                outcome = read(random.Random(f"{seed} {name} {number}"), root)
            except SurefootError as error:
                outcome = "refused"
                text = f"{error.finding.message} {error.finding.seen} {error.finding.next}"
                if any(mark in text for mark in MARKS):
                    wrong.append(f"{place}: the password is told: {text[:300]}")
            except Exception as error:  # noqa: BLE001 (whatever it is, it's what is looked for)
                outcome = "raised"
                wrong.append(f"{place}: {error!r:.300}")
            outcomes[outcome] += 1
        remark = ", ".join(f"{outcome}: {number:,}" for outcome, number in outcomes.most_common())
        rows.append(
            Row(
                f"bad texts: {name}",
                times,
                len(wrong) - before,
                time.monotonic() - started,
                remark,
                command,
            )
        )
    return rows, wrong
