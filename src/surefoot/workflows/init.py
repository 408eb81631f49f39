"""A first surefoot.toml, from a look at the project's files. It reads; it doesn't guess."""

from pathlib import Path

import msgspec

from surefoot.revision_source.history_files import read_history
from surefoot.revision_source.ini import IniFile

_LEFT_OUT = {"node_modules", "site-packages", "__pycache__", "tests", "test", "examples"}
_MOST_FILES = 5000  # of a tree: enough for any project, and a home directory ends


class Proposal(msgspec.Struct, frozen=True):
    """The file's text, what was found for it, and what only a person can fill in."""

    text: str
    alembic: str | None
    init: tuple[str, ...]
    seeds: tuple[str, ...]
    to_fill_in: tuple[str, ...]


def propose(root: Path) -> Proposal:
    """Look at the files below `root` and propose a configuration."""
    files = _files(root)
    inis = [f for f in files if f.name == "alembic.ini"]
    ini = min(inis, key=lambda f: (len(f.parts), str(f)), default=None)
    scripts = [f for f in files if f.suffix == ".sql"]
    init, other_init = _one_directory([f for f in scripts if _named(f, "init")])
    seeds, other_seeds = _one_directory([f for f in scripts if _named(f, "seed")])
    to_fill_in: list[str] = []
    lines = [
        "# surefoot brings the database to the head of the Alembic history, or refuses.",
        "# Every key: surefoot explain configuration. Paths start at this file.",
        "# The database's address isn't a matter of this file: --database-url,",
        "# SUREFOOT_DATABASE_URL, DATABASE_URL, POSTGRES_HOST …, PGHOST … or alembic.ini.",
        "",
    ]
    if ini is None:
        to_fill_in.append("alembic: no alembic.ini was found")
        lines += ["# The ini file of the Alembic history:", '# alembic = "alembic.ini"']
    else:
        lines += ["# The ini file of the Alembic history:", f'alembic = "{ini.as_posix()}"']
        if _is_flask(root / ini):
            to_fill_in.append("flask_app: env.py uses Flask's current_app")
            lines += [
                "",
                "# Flask-Migrate: where the application is made. Its context is pushed around",
                "# env.py, as `flask db` does.",
                '# flask_app = "package:create_app"',
            ]
    lines += ["", "# SQL scripts that make a fresh database, in order, in one transaction."]
    lines += [f"# also found: {f.as_posix()}" for f in other_init]
    lines += [f"init = {_list(init)}" if init else '# init = ["sql/00_init.sql"]']
    lines += [
        "",
        "# The revision that the init scripts stand for: the last one whose changes they",
        "# hold. It is recorded with them; the revisions after it are run.",
    ]
    if init:
        bases, heads = _ends(root, ini)
        hint = f"base: {', '.join(bases)}; head: {', '.join(heads)}" if bases else "see the history"
        to_fill_in.append(f"init_revision: which revision do the init scripts stand for? {hint}")
    lines += ['# init_revision = "…"']
    lines += ["", "# Repeatable SQL scripts, after the upgrade; again when their content changes."]
    lines += [f"# also found: {f.as_posix()}" for f in other_seeds]
    lines += [f"seeds = {_list(seeds)}" if seeds else '# seeds = ["sql/01_seed_data.sql"]']
    lines += [
        "",
        "# Scripts that pg_dump wrote begin with an empty search_path; if statements were added",
        "# by hand that name tables without a schema, say where they are:",
        '# search_path = "public"',
        "",
        "# How long to wait for a server that isn't up yet, and for another surefoot's lock.",
        '# wait = "60s"',
        '# lock_wait = "10min"',
        "",
    ]
    return Proposal(
        "\n".join(lines),
        ini.as_posix() if ini else None,
        tuple(f.as_posix() for f in init),
        tuple(f.as_posix() for f in seeds),
        tuple(to_fill_in),
    )


def _files(root: Path) -> list[Path]:
    """The project's files, relative to `root`, up to four directories down, in order."""
    found: list[Path] = []
    level = [root]
    for _ in range(5):
        below: list[Path] = []
        for directory in level:
            for entry in sorted(directory.iterdir()):
                if entry.name.startswith(".") or entry.name in _LEFT_OUT or entry.is_symlink():
                    continue
                if entry.is_dir():
                    if not (entry / "pyvenv.cfg").exists():
                        below.append(entry)
                else:
                    found.append(entry.relative_to(root))
            if len(found) > _MOST_FILES:
                return found
        level = below
    return found


def _one_directory(files: list[Path]) -> tuple[list[Path], list[Path]]:
    """The files of the likeliest directory, and the rest: scripts that belong together lie so."""
    if not files:
        return [], []
    directories = {f.parent for f in files}
    chosen = min(directories, key=lambda d: ("sql" not in d.parts, len(d.parts), str(d)))
    return [f for f in files if f.parent == chosen], [f for f in files if f.parent != chosen]


def _named(file: Path, word: str) -> bool:
    """Whether the file's own name has the word as one of its parts: 00_init.sql, seed-data.sql."""
    stem = file.stem.lower().replace("-", "_").replace(".", "_")
    return word in stem.split("_") or f"{word}s" in stem.split("_")


def _list(paths: list[Path]) -> str:
    return "[" + ", ".join(f'"{path.as_posix()}"' for path in paths) + "]"


def _is_flask(ini: Path) -> bool:
    env = ini.parent / "env.py"
    return env.is_file() and "current_app" in env.read_text(encoding="utf-8", errors="replace")


def _ends(root: Path, ini: Path | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    import configparser

    if ini is None:
        return (), ()
    try:
        history = read_history(IniFile(root / ini, "alembic", root))
    except (configparser.Error, OSError):
        return (), ()
    if history is None:
        return (), ()
    bases = tuple(r.id for r in history.revisions.values() if not r.parents)
    return bases, history.heads
