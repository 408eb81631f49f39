"""Find what lies in a schema that a pending revision drops, and isn't the application's. Pure.

DROP SCHEMA … CASCADE drops all of it without a word.
"""

from collections.abc import Container, Iterable, Mapping

from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.errors.wording import count
from surefoot.preflight.path import Removal, UpgradePath
from surefoot.preflight.surroundings import Dependent
from surefoot.schema.fact import Key, relation_kind
from surefoot.schema.names import arguments, quote_name, quoted, renamed_aside, split_name

_SHOWN = 20
_PART = "part of a range"


def in_a_schema(
    path: UpgradePath,
    live: Mapping[Key, str],
    dependents: Iterable[Dependent],
    dropped: Container[Key | None],
    mentioned: frozenset[str],
    renaming: frozenset[str],
) -> tuple[list[Finding], list[str]]:
    """Return a finding for each schema, and remarks about objects of which nobody knows whose they
    are.

    `dependents` are those of schemas, `dropped` what is dropped before, as another finding says.
    See `Given` for `mentioned` and `renaming`.
    """
    lying: dict[int, list[Dependent]] = {}
    remarks: list[str] = []
    for found in dependents:
        end = path.ends[found.end]
        if end.by.revision in renaming or found.key in dropped or not _is_own(found, path, live):
            continue
        of_others = found.kind == "partition" and ("relation", found.definition) not in path.known
        if found.kind in mentioned and not of_others:
            remarks.append(
                f"{_called(found, live)} lies in the schema {end.key[1]}, which {end.by.text} "
                "drops: it goes with it"
            )
        else:
            lying.setdefault(found.end, []).append(found)
    findings = [_finding(path.ends[n], its, path, live) for n, its in sorted(lying.items())]
    return findings, remarks


def _is_own(found: Dependent, path: UpgradePath, live: Mapping[Key, str]) -> bool:
    """Whether no revision makes it; rows of a partition are those of the whole table."""
    if found.kind == "partition":
        whole: Key = "relation", found.definition
        return whole not in path.known or all(end.key != whole for end in path.ends)
    key: Key | None = ("range", found.definition) if found.kind == _PART else found.key
    return key is None or (key in live and key not in path.known)


def _called(found: Dependent, live: Mapping[Key, str]) -> str:
    if found.kind == "partition":
        return f"partition {found.name} of {found.definition}"
    if found.kind == "relation":
        return f"{relation_kind(live['relation', found.name])} {found.name}"
    return f"{found.kind} {found.name}"


def _finding(
    end: Removal, its: list[Dependent], path: UpgradePath, live: Mapping[Key, str]
) -> Finding:
    called = [_called(found, live) for found in its if found.kind != _PART]
    if len(called) == 1:
        message = f"Your own {called[0]} is in the way of {end.by.text}."
        seen = [f"{end.by.text} drops or renames the schema {end.key[1]}, in which it lies"]
    else:
        message = f"{count(len(called), 'object')} of your own are in the way of {end.by.text}."
        seen = [f"{end.by.text} drops or renames the schema {end.key[1]}, in which they lie"]
        seen += called[:_SHOWN]
        seen += [f"and {len(called) - _SHOWN} more"] if len(called) > _SHOWN else []
    taken = {split_name(name)[0] for kind, name in path.known if kind == "schema"}
    schema = quoted(renamed_aside(split_name(end.key[1])[0], taken))
    what = "it" if len(called) == 1 else "them"
    return Finding(
        "customisation-in-the-way",
        message,
        tuple(seen),
        next=to_type(
            f"move {what} into another schema; tables keep their rows",
            f"create schema if not exists {schema};",
            *(f"alter {found.detail} {_typed(found)} set schema {schema};" for found in its),
            then="then start again",
        ),
    )


def _typed(found: Dependent) -> str:
    """Return its name as it is typed; that of a kind that facts don't describe is SQL already."""
    if found.key is None and found.kind != "partition":
        return found.name
    names = split_name(found.name)
    if found.kind == "statistics":  # the table's name is before its own, which may have a schema
        names = names[2:] if len(names) > 3 else (*names[:1], *names[-1:])
    return quote_name(*names) + arguments(found.name)
