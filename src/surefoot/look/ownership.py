"""Which schemas are the application's: by its catalogue, or else by what its files name."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from surefoot.catalogue.catalogue import Catalogue
from surefoot.decision.facts import Manifest
from surefoot.decision.ownership import Ownership
from surefoot.project.manifest import BELOW

# The variables by which a container tells an application where its tables are.
_OF_SCHEMAS = re.compile(r"schema|search_?path|tenant|options", re.IGNORECASE)


def by_catalogue(catalogue: Catalogue, used: Iterable[str]) -> Ownership:
    """`used` are the schemas that the application's connection uses."""
    index = catalogue.index
    return Ownership(index.schemas | {catalogue.schema, *used}, index.tables)


def by_files(
    manifest: Manifest,
    root: Path,
    used: Iterable[str],
    there: Iterable[str],
    environ: Mapping[str, str],
) -> Ownership:
    """The same without a catalogue: of the schemas that are `there`, those that a file of the
    application or of its migrations names, or a variable of the environment. A name that is also
    a common word counts too often, and never too seldom.
    """
    used, there = {*used}, {*there}
    unknown = there - used
    if not unknown:
        return Ownership(frozenset(used))
    words = b"|".join(re.escape(name.encode()) for name in sorted(unknown))
    named = re.compile(rb"(?<![\w$])(" + words + rb")(?![\w$])")
    found = {name for text in _texts(manifest, root) for name in _found(named, text)}
    values = " ".join(value for key, value in environ.items() if _OF_SCHEMAS.search(key))
    found |= _found(named, values.encode("utf-8", "surrogateescape"))
    return Ownership(frozenset(used | found))


def _found(named: "re.Pattern[bytes]", text: bytes) -> set[str]:
    return {match.decode() for match in named.findall(text)}


def _texts(manifest: Manifest, root: Path) -> Iterable[bytes]:
    """The content of every file that a look at the code rests on."""
    for name in manifest.files:
        if (root / name).is_file():
            yield (root / name).read_bytes()
    for name in manifest.directories:
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
