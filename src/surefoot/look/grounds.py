"""What a thorough look at the code relied on, for later starts to compare; or why they can't."""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from surefoot import __version__
from surefoot.decision.facts import Manifest, ServerInfo, VersionTableName
from surefoot.look.code import catalogue_file
from surefoot.project.config import Config, Project
from surefoot.project.locate import PYPROJECT
from surefoot.project.manifest import BELOW, digest
from surefoot.revision_source.ini import IniFile, candidates
from surefoot.system.shadowing import is_applications

if TYPE_CHECKING:  # Alembic and SQLAlchemy are imported only when they are needed
    from surefoot.alembic_env.environment import Environment

# What lets the same files lead to several places: another schema, another table, another history.
_WANDERING = re.compile(
    rb"search_path|schema_translate_map|version_table(?:_schema)?\s*=\s*[^\s'\"]"
    rb"|(?i:(?:environ|getenv)\b[^\n]*(?:schema|table|version|location|tenant))"
)

# The same in any other module of the application, where a version or a table may be anything.
_SEARCHING = re.compile(
    rb"search_path|schema_translate_map|(?i:(?:environ|getenv)\b[^\n]*(?:schema|tenant))"
)


# The same of a tenant: which schema is its own says the configuration, and env.py works there or is
# refused (`alembic_env/tenant.py`).
_WANDERING_IN_SCHEMA = re.compile(
    rb"version_table\s*=\s*[^\s'\"]"
    rb"|(?i:(?:environ|getenv)\b[^\n]*(?:table|version|location))"
)
_WANDERING_AT_NAME = re.compile(rb"(?i:(?:environ|getenv)\b[^\n]*(?:version|location))")


def manifest_of(project: Project, ini: IniFile | None, environment: "Environment") -> Manifest:
    """Return the files of this look, once the application is loaded: its modules are among them."""
    config = project.config
    scripts = (config.scripts(config.init), *config.former(), config.scripts(config.seeds))
    paths = [
        *([project.file.name] if project.file else []),
        PYPROJECT,  # Alembic reads it, too
        *candidates(config.alembic, config.flask_app),
        str(catalogue_file(project, ini)),
        environment.env_file,
        *([environment.config_file] if environment.config_file else []),
        *(_of_alembic(ini) if ini is not None else ()),
        *(entry.path for entries in scripts for entry in entries),
    ]
    modules = _modules()
    paths += [file for file in modules if not file.endswith(".py")]
    directories = {os.path.dirname(file) for file in modules if file.endswith(".py")}
    below = BELOW if environment.is_recursive else ""
    directories |= {f"{directory}{below}" for directory in environment.version_directories}
    root = str(project.root)
    files = _relative(root, paths)
    listed = _relative(root, directories)
    name = project.file.name if project.file else None
    found = digest(root, files, listed, project.given, project.variables)
    return Manifest(__version__, name, files, listed, found)


def why_not_quick(
    project: Project,
    environment: "Environment",
    table: VersionTableName,
    server: ServerInfo,
) -> str | None:
    """Return why no manifest covers what the look relied on; None if one does.

    `table` is the version table that env.py uses.
    """
    if environment.env_sha256 is None:
        return "env.py can't be read as a file"
    if environment.is_sourceless:
        return "revisions are compiled files (sourceless)"
    if project.strange:
        return f"{project.strange[0]} is set, which is no key of the configuration"
    config = project.config
    if table.name != (config.version_table or "alembic_version"):
        return (
            "env.py names the version table: write "
            f'version_table = "{table.name}" in the configuration'
        )
    default = server.default_schema
    if (table.schema or default) != (config.version_table_schema or default):
        return (
            "env.py chooses the version table's schema: write "
            f'version_table_schema = "{table.schema or default}" in the configuration'
        )
    return chosen_when_run(config, environment)


def chosen_when_run(config: Config, environment: "Environment") -> str | None:
    """Return the file of the application that may choose a schema, a table or a location at run
    time.
    """
    tenant = environment.tenant
    wandering = _WANDERING
    if tenant is not None:
        wandering = _WANDERING_AT_NAME if tenant.named else _WANDERING_IN_SCHEMA
    for file in (environment.env_file, *_callables(config)):
        if wandering.search(Path(file).read_bytes()):
            return f"{os.path.basename(file)} chooses a schema, a table or a location when it runs"
    if tenant is not None:
        return None
    for file in sorted(name for name in _modules() if name.endswith(".py")):
        if os.path.isfile(file) and _SEARCHING.search(Path(file).read_bytes()):
            return f"{os.path.basename(file)} may choose a schema when it runs"
    return None


def _of_alembic(ini: IniFile) -> Iterable[str]:
    if (scripts := ini.script_directory()) is not None:
        yield str(scripts / "env.py")
    if ini.pyproject is not None:
        yield str(ini.pyproject)


def _callables(config: Config) -> Iterable[str]:
    """Return the files of the application's own callables, which can choose anything."""
    for name in (config.alembic_config, config.env_runner, config.flask_app):
        module = sys.modules.get((name or "").partition(":")[0])
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py"):
            yield file


def _modules() -> set[str]:
    """Return the files of the application's loaded modules."""
    library = os.path.dirname(os.__file__)
    found: set[str] = set()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__dict__", {}).get("__file__")
        if name == "__main__" or not isinstance(file, str):
            continue
        # first, because it is cheap: most modules aren't the application's
        if "site-packages" in file or file.startswith(library):
            continue
        if is_applications({"__file__": file}):
            found.add(os.path.abspath(file))
    return found


def _relative(root: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths in order, each once, relative to the root if they are below it."""
    found: set[str] = set()
    for path in paths:
        whole = os.path.join(root, path)
        below = whole == root or whole.startswith(f"{root}{os.sep}")
        found.add(os.path.relpath(whole, root) if below else whole)
    return tuple(sorted(found))
