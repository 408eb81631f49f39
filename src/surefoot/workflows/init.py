"""Propose a first surefoot.toml from the project's files. It reads; it doesn't guess."""

from pathlib import Path

import msgspec

from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.look.code import find_ini
from surefoot.project.config import Config, Project
from surefoot.revision_source.found import Found, files_below, flask_app, histories, in_package
from surefoot.revision_source.history_files import read_history
from surefoot.revision_source.ini import path_in_package


class Proposal(msgspec.Struct, frozen=True):
    """The file's text, what was found for it, and what a person must fill in.

    `alembic` is the only one of the `histories`; None if there are several.
    """

    text: str
    histories: tuple[str, ...]
    alembic: str | None
    init: tuple[str, ...]
    seeds: tuple[str, ...]
    to_fill_in: tuple[str, ...]


def propose(root: Path, package: str | None = None) -> Proposal:
    """Look at the files below `root` and propose a configuration.

    With `package`, for the history in this package: an installed one, or one of the project's own.
    Raises SurefootError `history-not-found`.
    """
    files = files_below(root)
    place, name = root, ""
    if package is None:
        found = histories(root, files)
    else:
        place, name = _directory_of(root, package), package
        found = in_package(place, package)
        if not found:
            seen = f"{place} has no alembic.ini, and no env.py with revisions beside it"
            raise _no_history(package, seen)
    chosen = found[0] if len(found) == 1 else None
    scripts = [f for f in files if f.suffix == ".sql"]
    init, other_init = _one_directory([f for f in scripts if _named(f, "init")])
    seeds, other_seeds = _one_directory([f for f in scripts if _named(f, "seed")])
    to_fill_in: list[str] = []
    lines = [
        "# surefoot brings the database to the head of the Alembic history, or refuses.",
        "# Every key: surefoot explain configuration. Paths start at this file.",
        "# The database's address doesn't belong here. It comes from --database-url,",
        "# SUREFOOT_DATABASE_URL, DATABASE_URL, POSTGRES_HOST …, PGHOST … or alembic.ini.",
        "",
    ]
    lines += ["# The Alembic history: its ini file, or a pyproject.toml with [tool.alembic]."]
    if chosen is not None:
        lines += chosen.settings
    elif found:
        names = ", ".join(map(str, found))
        to_fill_in.append(f"alembic: several histories were found, which one is it? {names}")
        lines += ["# Several were found. Name one of them:"]
        lines += [f"# {line}" for one in found for line in one.settings]
    else:
        to_fill_in.append(
            "alembic: no alembic.ini was found, and no env.py with revisions beside it"
        )
        lines += ['# alembic = "alembic.ini"']
    if any(one.flask for one in found):
        guess = flask_app(place, files if package is None else files_below(place), name)
        to_fill_in.append(
            "flask_app: env.py uses Flask's current_app"
            + (f"; is it {guess}? Then remove the # before that line" if guess else "")
        )
        lines += [
            "",
            "# Flask-Migrate: where the application is made. Its context is pushed around",
            "# env.py, as `flask db` does.",
            f'# flask_app = "{guess or "package:create_app"}"',
        ]
    lines += ["", "# SQL scripts that make a fresh database, in order, in one transaction."]
    lines += [f"# also found: {f.as_posix()}" for f in other_init]
    lines += [f"init = {_list(init)}" if init else '# init = ["sql/00_init.sql"]']
    lines += [
        "",
        "# The revision that the init scripts stand for: the last one whose changes they",
        "# contain; base, if they make only what the first revision begins with. surefoot records",
        "# it with them, and runs the revisions after it.",
    ]
    if init:
        bases, heads = _ends(root, chosen)
        hint = f"base: {', '.join(bases)}; head: {', '.join(heads)}" if bases else "see the history"
        to_fill_in.append(f"init_revision: which revision do the init scripts stand for? {hint}")
    lines += ['# init_revision = "…"']
    lines += ["", "# Repeatable SQL scripts, after the upgrade; again when their content changes."]
    lines += [f"# also found: {f.as_posix()}" for f in other_seeds]
    lines += [f"seeds = {_list(seeds)}" if seeds else '# seeds = ["sql/01_seed_data.sql"]']
    lines += [
        "",
        "# Scripts of pg_dump begin with an empty search_path. If somebody added statements that",
        "# name tables without a schema, name the schema here:",
        '# search_path = "public"',
        "",
        "# How long to wait for a server that isn't up yet, and for another surefoot's lock.",
        '# wait = "60s"',
        '# lock_wait = "10min"',
        "",
    ]
    return Proposal(
        "\n".join(lines),
        tuple(map(str, found)),
        chosen.file if chosen else None,
        tuple(f.as_posix() for f in init),
        tuple(f.as_posix() for f in seeds),
        tuple(to_fill_in),
    )


def _directory_of(root: Path, package: str) -> Path:
    directory = path_in_package(package, (root,))
    if directory is None:
        raise _no_history(package, "no package of this name is installed")
    return directory


def _no_history(package: str, seen: str) -> SurefootError:
    return SurefootError(
        "history-not-found",
        f"There is no Alembic history in a package {package}.",
        seen=[seen],
        database=NOT_REACHED,
        next="correct the name, which is the one that Python imports; or install the package in "
        "surefoot's environment",
    )


def _one_directory(files: list[Path]) -> tuple[list[Path], list[Path]]:
    """Return the files of the likeliest directory, and the rest: related scripts lie together."""
    if not files:
        return [], []
    directories = {f.parent for f in files}
    chosen = min(directories, key=lambda d: ("sql" not in d.parts, len(d.parts), str(d)))
    return [f for f in files if f.parent == chosen], [f for f in files if f.parent != chosen]


def _named(file: Path, word: str) -> bool:
    """Whether the file's name contains the word as a part: 00_init.sql, seed-data.sql."""
    stem = file.stem.lower().replace("-", "_").replace(".", "_")
    return word in stem.split("_") or f"{word}s" in stem.split("_")


def _list(paths: list[Path]) -> str:
    return "[" + ", ".join(f'"{path.as_posix()}"' for path in paths) + "]"


def _ends(root: Path, chosen: Found | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if chosen is None:
        return (), ()
    config = Config(alembic=chosen.file, alembic_section=chosen.section)
    try:
        ini = find_ini(Project(config, root))
    except SurefootError:
        return (), ()
    history = read_history(ini) if ini is not None else None
    if history is None:
        return (), ()
    bases = tuple(r.id for r in history.revisions.values() if not r.parents)
    return bases, history.heads
