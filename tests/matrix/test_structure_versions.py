"""One structure has the same facts on every version of PostgreSQL.

`rich.facts` was written on 18, from `rich.sql`. After a change that was meant:
`UPDATE_FACTS=1 pytest tests/matrix/test_structure_versions.py`, then read the difference.
"""

import os
from pathlib import Path
from typing import Any, cast

import pytest

from surefoot.decision.facts import VersionTableName
from surefoot.look.structure import observe_structure
from surefoot.schema.comparison import Comparison, same
from surefoot.schema.fact import SchemaFact
from surefoot.schema.kinds import Kind

HERE = Path(__file__).parent
GOLDEN = HERE / "rich.facts"

# EXTRACT is another function since 14; the arguments of SQL's own syntax show no casts since then.
UNDECIDED_ON_13 = {
    ("column", "app.person.initial"),
    ("constraint", "app.person.overlap"),
    ("constraint", "app.person.years"),
    ("index", "app.person.person_year"),
    ("view", "app.v_words"),
    ("view", "app.v_year"),
    ("view", "app.v_year_again"),
}


def written(facts: tuple[SchemaFact, ...]) -> str:
    """A line a fact."""
    return "".join(f"{fact.kind}\t{fact.name}\t{fact.definition}\n" for fact in facts)


def read(text: str) -> tuple[SchemaFact, ...]:
    """The opposite."""
    lines = (line.split("\t") for line in text.splitlines())
    return tuple(SchemaFact(cast(Kind, kind), name, text) for kind, name, text in lines)


@pytest.fixture
def facts(database: Any) -> tuple[int, tuple[SchemaFact, ...]]:
    """The server's major version, and the facts of rich.sql on it."""
    database.execute((HERE / "rich.sql").read_text(encoding="utf-8"))
    with database.connect() as connection:
        found = observe_structure(connection, VersionTableName())
        return connection.info.server_version // 10000, found


def test_rich_structure_is_the_same_on_every_version(
    facts: tuple[int, tuple[SchemaFact, ...]],
) -> None:
    """To the byte from 14 on; on 13, seven facts that are known can't be told from theirs."""
    major, found = facts
    if os.environ.get("UPDATE_FACTS") and major == 18:
        GOLDEN.write_text(written(found), encoding="utf-8")
    text = GOLDEN.read_text(encoding="utf-8")
    if major >= 14:
        assert written(found) == text
        return
    wanted = read(text)
    undecided = {
        (one.kind, one.name)
        for one, other in zip(found, wanted, strict=True)
        if same(one, other) is Comparison.CANNOT_TELL
    }
    assert undecided == UNDECIDED_ON_13
    for one, other in zip(found, wanted, strict=True):
        assert same(one, other) is not Comparison.DIFFERENT


def test_every_kind_is_in_the_sample() -> None:
    """No kind of docs/concepts/facts.md is left untried."""
    document = (HERE.parents[1] / "docs" / "concepts" / "facts.md").read_text(encoding="utf-8")
    table = document.partition("## Kinds")[2].partition("\n## ")[0]
    kinds = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    assert kinds == {fact.kind for fact in read(GOLDEN.read_text(encoding="utf-8"))}
