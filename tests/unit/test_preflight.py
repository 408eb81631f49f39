"""What is in the way of a path: catalogues and structures made by hand, no database."""

import pytest

from surefoot.catalogue.catalogue import Catalogue, state
from surefoot.catalogue.identify import Identifier
from surefoot.catalogue.match import Difference
from surefoot.model.history import Revision
from surefoot.preflight.check import Found, Given
from surefoot.preflight.checks import version_column_too_short
from surefoot.preflight.checks.customisation_in_the_way import customisations
from surefoot.preflight.checks.locks_too_few import estimate, room, transactions
from surefoot.preflight.checks.object_in_the_way import collisions
from surefoot.preflight.checks.privilege_missing import privilege_needs, privileges
from surefoot.preflight.judge import needs
from surefoot.preflight.path import (
    UpgradePath,
    column_type,
    early_differences,
    path_from_nothing,
    path_of,
)
from surefoot.preflight.surroundings import Dependent, Lacking, Locks, Need, Surroundings
from surefoot.schema.fact import Key, SchemaFact
from surefoot.schema.names import arguments, quote_name, renamed_aside, split_name
from tests.support.histories import linear

AROUND = Surroundings("app", "shop", "public.alembic_version", 32)


def table(name: str, /, **columns: str) -> tuple[SchemaFact, ...]:
    """A table and its columns."""
    return (
        SchemaFact("relation", f"public.{name}", "table"),
        *(SchemaFact("column", f"public.{name}.{c}", d) for c, d in columns.items()),
    )


def path(*structures: tuple[SchemaFact, ...], applied: int = 1) -> UpgradePath:
    """From the first structures on, over the revisions that make the others."""
    catalogue = linear(*structures)
    return path_of(catalogue, catalogue.ways[0], done(applied), pending(catalogue, applied))


def done(number: int) -> frozenset[str]:
    return frozenset(f"r{n}" for n in range(1, number + 1))


def pending(catalogue: Catalogue, applied: int) -> list[Revision]:
    return list(catalogue.history.revisions.values())[applied:]


def live(*facts: SchemaFact) -> dict[Key, str]:
    return {(fact.kind, fact.name): fact.definition for fact in facts}


T = table("t", a="integer not null")
PETS = table("pets", id="integer", name="text")
NAMED = SchemaFact("index", "public.pets.named", "USING btree (name)")


# --- names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("public.people.email", ("public", "people", "email")),
        ('public."People"."e.mail"', ("public", "People", "e.mail")),
        ('public."say ""a""".b', ("public", 'say "a"', "b")),
        ('public.f(integer, public."T")', ("public", "f")),
    ],
)
def test_names_are_taken_apart(name: str, expected: tuple[str, ...]) -> None:
    assert split_name(name) == expected


def test_names_are_typed_as_the_server_reads_them() -> None:
    assert quote_name("public", "user", "Email", "plain_1") == 'public."user"."Email".plain_1'
    assert arguments('public.f(integer, public."T")') == '(integer, public."T")'
    assert len(renamed_aside("é" * 40).encode()) <= 63


# --- the path


def test_what_a_path_makes_drops_and_retypes() -> None:
    """As the first revision that has it makes it, and what is there at the beginning only."""
    found = path(
        T + table("old", x="text"),
        T + PETS + table("old", x="text"),
        table("t", a="bigint not null") + table("pets", id="bigint", name="text"),
    )
    assert found.made["column", "public.pets.id"].allowed == ("integer",)
    assert found.made["column", "public.pets.id"].by.revision == "r2"
    ends = [(end.key, end.by.revision, end.how) for end in found.ends]
    assert ends == [
        (("column", "public.t.a"), "r3", "retypes"),
        (("relation", "public.old"), "r3", "drops"),  # and so its column isn't told
    ]


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("text", "text"),
        ("character varying(80) not null default 'x'", "character varying(80)"),
        ('text collate "C" not null', 'text collate "C"'),
        ("integer generated always as identity", "integer"),
        ("timestamp without time zone default now()", "timestamp without time zone"),
    ],
)
def test_the_type_of_a_column(definition: str, expected: str) -> None:
    assert column_type(definition) == expected


def test_a_new_default_is_no_new_type() -> None:
    assert path(T, table("t", a="integer default 1")).ends == ()


# --- objects in the way


def test_the_same_shape_is_a_remark() -> None:
    met = collisions(path(T, T + PETS), live(*T, *PETS))
    assert met.findings == ()
    assert len(met.remarks) == 1
    assert "table public.pets" in met.remarks[0]


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (table("pets", id="integer"), "column name text nothing"),
        (table("pets", id="integer", name="integer"), "column name text integer"),
        (table("pets", id="integer", name="text", own="text"), "column own nothing text"),
        (
            (*PETS, SchemaFact("index", "public.pets.x", "unique USING btree (id)")),
            "index x nothing unique USING btree (id)",
        ),
        ((SchemaFact("relation", "public.pets", "view"), *PETS[1:]), "relation table view"),
    ],
)
def test_every_other_shape_is_a_finding(found: tuple[SchemaFact, ...], line: str) -> None:
    (finding,) = collisions(path(T, T + PETS), live(*T, *found)).findings
    assert finding.code == "wrong-shape-in-the-way"
    told = " ".join(" ".join(seen.split()) for seen in finding.seen)
    assert line in told.replace("r2 makes: ", "").replace("there is: ", "")
    assert "r2 (r2.py)" in finding.message


def test_a_plain_index_of_the_users_is_no_other_shape() -> None:
    own = SchemaFact("index", "public.pets.mine", "USING btree (id)")
    assert collisions(path(T, T + PETS), live(*T, *PETS, own)).findings == ()


def test_what_a_later_revision_adds_is_judged_as_that_one_makes_it() -> None:
    """The table as r2 makes it, and r3's index already: both as they should be."""
    found = path(T, T + PETS, (*T, *PETS, NAMED))
    assert collisions(found, live(*T, *PETS, NAMED)).findings == ()
    wrong = SchemaFact("index", "public.pets.named", "USING btree (id)")
    (finding,) = collisions(found, live(*T, *PETS, wrong)).findings
    assert "USING btree (name) (r3)" in " ".join(finding.seen)


def test_the_users_index_has_the_name_of_one_to_come() -> None:
    own = (*table("mine", x="text"), SchemaFact("index", "public.mine.named", "USING btree (x)"))
    (finding,) = collisions(path((*T, *PETS), (*T, *PETS, NAMED)), live(*T, *PETS, *own)).findings
    assert "index public.mine.named" in finding.message
    assert "\n    alter index public.named rename to named_own;\n" in finding.next


def test_an_index_of_the_same_name_in_another_schema_is_nobodys_business() -> None:
    own = SchemaFact("index", "other.mine.named", "USING btree (x)")
    assert collisions(path((*T, *PETS), (*T, *PETS, NAMED)), live(*T, *PETS, own)).findings == ()


def test_extensions_and_schemas_are_in_nobodys_way() -> None:
    both = (SchemaFact("extension", "citext", ""), SchemaFact("schema", "more", ""))
    met = collisions(path(T, (*T, *both)), live(*T, *both))
    assert met.findings == met.remarks == ()


def test_only_what_is_in_the_way_is_early() -> None:
    """A retyped column isn't, and what an applied revision has dropped isn't."""
    catalogue = linear((*T, NAMED), T, T + PETS)
    identifier = Identifier(catalogue, (*T, *PETS[:2]))
    recorded = identifier.stand(done(2))
    assert recorded is not None
    assert early_differences(recorded, catalogue) == (recorded.differences, True)
    worse = Identifier(catalogue, (*table("t", a="text"), *PETS[:2], NAMED)).stand(done(2))
    assert worse is not None
    early = {d.name for d in early_differences(worse, catalogue)[0]}
    assert early == {"public.pets", "public.pets.id"}
    assert {d.name for d in worse.differences} - early == {"public.t.a", "public.pets.named"}


# --- needs


def test_who_needs_what_is_missing() -> None:
    """The revision that alters it, indexes it, or alters something of its table."""
    indexed = SchemaFact("index", "public.pets.named", "USING btree (name)")
    found = path((*T, *PETS), (*T, *PETS, indexed), (*table("t", a="bigint"), *PETS, indexed))
    missing = [
        Difference("column", "public.pets.name", ("text",), None),
        Difference("relation", "public.t", ("table",), None),
        Difference("column", "public.pets.id", ("integer",), None),
    ]
    assert [(name, by) for _, name, by in needs(found, missing)] == [
        ("public.pets.name", "revision r2 (r2.py)"),
        ("public.t", "revision r3 (r3.py)"),
    ]


# --- customisations


def test_only_what_is_the_users_own_and_hurts() -> None:
    """On a retyped column: the user's view, and neither his index nor the application's view."""
    view = SchemaFact("relation", "public.app_view", "view")
    found = path((*T, view), (*table("t", a="bigint not null"), view))
    own = (
        SchemaFact("relation", "public.mine", "view"),
        SchemaFact("index", "public.t.own", "USING btree (a)"),
    )
    dependents = [
        Dependent(0, "relation", "public.mine"),
        Dependent(0, "index", "public.t.own", "", "CREATE INDEX own ON public.t (a)"),
        Dependent(0, "relation", "public.app_view"),
    ]
    (finding,) = customisations(found, live(*T, view, *own), dependents).findings
    assert finding.code == "customisation-in-the-way"
    assert "view public.mine" in finding.message
    assert "\n    drop view public.mine;\n" in finding.next


def test_what_is_the_users_on_a_table_that_is_dropped() -> None:
    own = (
        SchemaFact("column", "public.pets.note", "text"),
        SchemaFact("index", "public.pets.own", "USING btree (id)"),
    )
    found = customisations(path((*T, *PETS), T), live(*T, *PETS, *own), ())
    assert [f.message.split(" is in ")[0] for f in found.findings] == [
        "Your own column public.pets.note"
    ]
    assert ["index public.pets.own" in remark for remark in found.remarks] == [True]


def test_a_rename_of_what_an_earlier_pending_revision_altered() -> None:
    """A rename is recognised by the structure just before the revision, not at the start."""
    wide = {"a": "integer not null", "b": "text"}
    found = path(T, table("t", **wide), table("s", **wide), table("s", a=wide["a"], c="text"))
    assert [(e.key, e.by.revision, e.renamed) for e in found.ends] == [
        (("relation", "public.t"), "r3", "public.s")
    ]
    found = path(T, table("t", a="bigint"), table("t", c="bigint"))
    assert [(e.key[1], e.how, e.renamed) for e in found.ends] == [
        ("public.t.a", "retypes", ""),
        ("public.t.a", "drops", "public.t.c"),
    ]


@pytest.mark.parametrize(("after", "remarks"), [("'a', 'b', 'c'", 0), ("'b', 'a'", 1), ("'a'", 1)])
def test_a_type_whose_labels_are_lost_was_made_anew(after: str, remarks: int) -> None:
    """ADD VALUE leaves the user's column alone; anything else may not."""
    mood = SchemaFact("enum", "public.mood", "'a', 'b'")
    found = path((*T, mood), (*T, SchemaFact("enum", "public.mood", after)))
    own = table("mine", felt="public.mood")
    dependents = [Dependent(n, "column", "public.mine.felt") for n in range(len(found.ends))]
    met = customisations(found, live(*T, mood, *own), dependents)
    assert (met.findings, len(met.remarks)) == ((), remarks)


# --- privileges


def test_the_privileges_of_a_path() -> None:
    """What it makes itself needs no owner; what goes with its table is the table's."""
    key = SchemaFact("constraint", "public.pets.fk", "FOREIGN KEY (id) REFERENCES public.t(a)")
    old = table("old", x="text")
    found = path((*T, *old), (*table("t", a="bigint"), *PETS, key))
    assert {(n.right, n.kind, f"{n.schema}.{n.name}") for n in privilege_needs(found)} == {
        ("owner", "table", "public.t"),
        ("children", "table", "public.t"),
        ("drop", "table", "public.old"),
        ("create", "schema", ".public"),
        ("references", "table", "public.t"),
    }


def test_one_finding_with_a_line_for_each_privilege() -> None:
    needed = (
        Need("owner", "table", "public", "order", "revision r2 (r2.py)"),
        Need("create", "schema", "", "public", "revision r3 (r3.py)"),
    )
    around = Surroundings("App", "shop", "public.v", lacking=(Lacking(0, "postgres"), Lacking(1)))
    (finding,) = privileges(needed, around)
    assert finding.seen == (
        'table public."order" belongs to postgres: revision r2 (r2.py)',
        "no CREATE on schema public: revision r3 (r3.py)",
    )
    assert 'alter table public."order" owner to "App";' in finding.next
    assert privileges(needed, AROUND) == ()


# --- locks, the version column


def test_locks_are_counted_for_each_transaction() -> None:
    """A table with text has a TOAST table with an index; a name counts once in a transaction."""
    structures = [T]
    for n in range(3):
        structures.append((*structures[-1], *table(f"n{n}", id="integer", note="text")))
    found = path(*structures)
    together = transactions(found, each=False, committing=frozenset())
    assert (len(together), estimate(found, together)) == (1, 9)
    each = transactions(found, each=True, committing=frozenset())
    assert (len(each), estimate(found, each)) == (3, 3)
    midway = transactions(found, each=False, committing=frozenset({"r3"}))
    assert [len(piece) for piece in midway] == [2, 1]


@pytest.mark.parametrize(("promised", "findings", "remarks"), [(9, 0, 0), (8, 0, 1), (2, 1, 0)])
def test_locks_are_refused_where_it_is_clearly_too_much(
    promised: int, findings: int, remarks: int
) -> None:
    found = path(T, (*T, *(f for n in range(9) for f in table(f"n{n}", id="integer"))))
    pieces = transactions(found, each=False, committing=frozenset())
    refused, remarked = room(found, Locks(64, promised), pieces)
    assert (len(refused), len(remarked)) == (findings, remarks)


def test_the_init_scripts_are_a_transaction_of_their_own() -> None:
    catalogue = linear(T, T + PETS)
    way = catalogue.ways[0]
    from_nothing = path_from_nothing(catalogue, way, pending(catalogue, 0))
    assert set(from_nothing.made) == set(state(way, done(2)))
    assert from_nothing.ends == ()


def test_ids_that_are_too_long() -> None:
    given = Given(None, AROUND, ids=("r1", "x" * 33), has_version_table=True)
    (finding,) = version_column_too_short.check(given).findings
    assert finding.seen == (f"{'x' * 33}: 33 characters",)
    assert "type varchar(33);" in finding.next
    given = Given(None, AROUND, ids=("x" * 32,), has_version_table=True)
    assert version_column_too_short.check(given) == Found()
