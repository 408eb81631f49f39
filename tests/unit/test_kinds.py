"""No kind of PostgreSQL object is forgotten: facts.sql, the table of kinds, the rules, the page."""

import re
from pathlib import Path

import pytest

from surefoot.compatibility import removals
from surefoot.schema.fact import SchemaFact, table
from surefoot.schema.kinds import KINDS, Kind, kind_of, rank
from surefoot.sql import query

DOCS = Path(__file__).parents[2] / "docs"

# What an older image doesn't miss, with the reason.
NOT_MISSED = {
    "replica identity": "subscribers read it, the code doesn't",
    "statistics": "only the planner reads them",
    "view": "the relation of the same name is missed",
}
# What has no other definition that could matter to the code, with the reason.
NOT_COMPARED = {
    "schema": "its fact has no definition",
    "extension": "its fact has no definition",
    "replica identity": "subscribers read it, the code doesn't",
    "statistics": "only the planner reads them",
}


def kinds_of_facts() -> set[str]:
    """The kinds that facts.sql gives, read from its text."""
    found = set(re.findall(r"^select '([a-z ]+)'", query("facts"), re.M))
    return found | {"function", "procedure"}  # by a CASE over prokind


def test_the_table_has_the_kinds_of_facts_sql() -> None:
    assert "case f.prokind when 'p' then 'procedure' else 'function' end" in query("facts")
    assert set(KINDS) == kinds_of_facts()


def test_the_page_describes_each_kind() -> None:
    text = (DOCS / "concepts" / "facts.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z ]+)` \| ", text, re.M)) >= set(KINDS)


def test_a_missing_object_of_each_kind_is_judged() -> None:
    by_content = {name for name, kind in KINDS.items() if kind.by_content}
    assert removals.MISSING.keys() | by_content | NOT_MISSED.keys() == set(KINDS)


def test_another_definition_of_each_kind_is_judged() -> None:
    by_content = {name for name, kind in KINDS.items() if kind.by_content}
    assert removals.RULES.keys() | by_content | NOT_COMPARED.keys() == set(KINDS)


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.of_table])
def test_what_belongs_to_a_table_names_it(kind: Kind) -> None:
    assert table(SchemaFact(kind, "public.people.x", "")) == "public.people"


def test_an_unknown_kind_promises_nothing() -> None:
    assert kind_of("hologram") == kind_of("")
    assert rank("hologram") > rank("event trigger")
