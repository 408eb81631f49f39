"""Which schemas are the application's: by its catalogue, or else by what its files name."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from surefoot.catalogue.catalogue import Catalogue
from surefoot.decision.facts import Manifest, SchemaContents
from surefoot.decision.ownership import FEW, Ownership
from surefoot.project.manifest import BELOW

_WORD = re.compile(rb"[\w$]+")

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
    texts = list(_texts(manifest, root))
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
