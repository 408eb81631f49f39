"""Which schemas are the application's: by its catalogue, or else by what its files name."""

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from surefoot.catalogue.catalogue import Catalogue
from surefoot.decision.facts import SchemaContents
from surefoot.decision.ownership import FEW, Ownership
from surefoot.errors import SurefootError
from surefoot.look.catalogue import read_catalogue
from surefoot.look.code import catalogue_file
from surefoot.project.config import Project
from surefoot.project.manifest import BELOW
from surefoot.revision_source.ini import IniFile, candidates

_WORD = re.compile(rb"[\w$]+")

# The variables by which a container tells an application where its tables are.
_OF_SCHEMAS = re.compile(r"schema|search_?path|tenant|options", re.IGNORECASE)


def by_catalogue(catalogue: Catalogue, used: Iterable[str]) -> Ownership:
    """`used` are the schemas that the application's connection uses: names without a schema are
    there, if some revision makes one.
    """
    index, schemas = catalogue.index, catalogue.schemas
    return Ownership(schemas.union(used) if catalogue.schema in schemas else schemas, index.tables)


def without_running(
    project: Project, ini: IniFile | None, path: Iterable[str], contents: Iterable[SchemaContents]
) -> Ownership:
    """The same where the application's code isn't run: by the catalogue that lies there, of
    whatever age, or else by the files that the configurations name. `path` is the search path.
    """
    config = project.config
    used = {*path, *filter(None, (config.version_table_schema,))}
    with suppress(SurefootError):
        return by_catalogue(read_catalogue(catalogue_file(project, ini)), used)
    scripts = (config.scripts(config.init), *config.former(), config.scripts(config.seeds))
    files = [entry.path for entries in scripts for entry in entries]
    files += [*([project.file.name] if project.file else []), *candidates(config.alembic, None)]
    directories: list[str] = []
    if ini is not None and (migrations := ini.script_directory()) is not None:
        directories = [f"{migrations}{BELOW}", *map(str, ini.version_directories() or ())]
    return by_files(files, directories, project.root, used, contents, os.environ)


def by_files(
    files: Iterable[str],
    directories: Iterable[str],
    root: Path,
    used: Iterable[str],
    contents: Iterable[SchemaContents],
    environ: Mapping[str, str],
) -> Ownership:
    """The same without a catalogue, of the schemas that are there: those that a file of the
    application or of its migrations names, or a variable of the environment; and those of whose
    tables the files name half. A name that is also a common word counts too often, and never too
    seldom.
    """
    used = {*used}
    unknown = [one for one in contents if one.schema not in used]
    if not unknown:
        return Ownership(frozenset(used))
    texts = list(_texts(files, directories, root))
    values = (value for key, value in environ.items() if _OF_SCHEMAS.search(key))
    texts.append(" ".join(values).encode("utf-8", "surrogateescape"))
    words = {word for text in texts for word in _WORD.findall(text)}

    def is_named(name: str) -> bool:
        found = name.encode()
        return found in words if _WORD.fullmatch(found) else any(found in text for text in texts)

    found = {
        one.schema
        for one in unknown
        if is_named(one.schema)
        or sum(map(is_named, one.relations)) >= max(FEW, len(one.relations) / 2)
    }
    return Ownership(frozenset(used | found))


def _texts(files: Iterable[str], directories: Iterable[str], root: Path) -> Iterable[bytes]:
    """The content of these files, and of every Python file in these directories."""
    for name in files:
        if (root / name).is_file():
            yield (root / name).read_bytes()
    for name in directories:
        below = name.endswith(BELOW)
        top = root / name.removesuffix(BELOW)
        for file in top.glob("**/*.py" if below else "*.py"):
            if file.is_file():
                yield file.read_bytes()


def schemas_of_path(search_path: str, role: str) -> set[str]:
    """The schemas that a search path names, as `show search_path` writes it."""
    found: set[str] = set()
    for part in re.findall(r'"(?:[^"]|"")*"|[^,\s]+', search_path):
        name = part[1:-1].replace('""', '"') if part.startswith('"') else part
        found.add(role if name == "$user" else name)
    return found - {""}
