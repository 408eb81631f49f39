"""The way back over a revision: its class, and what of the data goes with it."""

import msgspec
import pytest

from surefoot.catalogue.catalogue import (
    NEEDS_CODE,
    Catalogue,
    Change,
    Definition,
    Downgrade,
    DownStatement,
    Way,
)
from surefoot.downgrades.downgrade_sql import HANGS, UNCOUNTED
from surefoot.downgrades.recipe import DowngradeRecipe, Loss, reversal
from surefoot.model.history import History, Revision
from surefoot.schema.kinds import Kind


def change(kind: Kind, name: str, before: str | None, after: Definition) -> Change:
    return Change(kind, name, () if before is None else (before,), (after,))


def of(down: Downgrade | None, *changes: Change) -> DowngradeRecipe:
    """The way back over a revision that makes these changes."""
    revision = Revision("r1", (), (), "first", "v1", "r1.py", "hash")
    way = Way("base", frozenset(), (), {"r1": changes})
    downgrades = {} if down is None else {"r1": down}
    return reversal(Catalogue(History({"r1": revision}), (way,), None, downgrades), "r1")


def proved(*statements: str) -> Downgrade:
    return Downgrade("proved", "", tuple(map(DownStatement, statements)))


TABLE = change("relation", "public.t", None, "table")
COLUMN = change("column", "public.t.a", None, "text")
INDEX = change("index", "public.t.i", None, "USING btree (a)")


@pytest.mark.parametrize(
    ("down", "verdict", "why", "possible", "without_code"),
    [
        (None, "unknown", "its downgrade was not tried", False, False),
        (proved("drop index i"), "proved", "", True, True),
        (Downgrade("proved", NEEDS_CODE), "needs-code", NEEDS_CODE, True, False),
        (Downgrade("leaves", "", (DownStatement("drop table x"),)), "leaves", "", True, True),
        (Downgrade("leaves", NEEDS_CODE), "leaves", NEEDS_CODE, True, False),
        (Downgrade("fails", "ValueError"), "broken", "ValueError", False, False),
        (Downgrade("fails", "there is none"), "none", "it has no downgrade()", False, False),
        (Downgrade("empty"), "none", "its downgrade() does nothing", False, False),
        (Downgrade("untried", "autocommit_block"), "untried", "autocommit_block", False, False),
    ],
)
def test_the_class_of_each_verdict(
    down: Downgrade | None, verdict: str, why: str, possible: bool, without_code: bool
) -> None:
    found = of(down, INDEX)
    assert (found.verdict, found.why) == (verdict, why)
    assert (found.possible, found.without_code) == (possible, without_code)


def test_an_upgrade_that_does_not_run_again_says_that_something_stays() -> None:
    """The structure is that below; and yet something is there that wasn't."""
    down = msgspec.structs.replace(proved("drop index i"), again="SQLSTATE 23505")
    found = of(down, INDEX)
    assert (found.verdict, found.again, found.without_code) == ("leaves", "SQLSTATE 23505", True)


def test_what_the_init_scripts_hold_has_no_way_back() -> None:
    revision = Revision("r1", (), (), "first", "v1", "r1.py", "hash")
    way = Way("init", frozenset({"r1"}), (), {})
    found = reversal(Catalogue(History({"r1": revision}), (way,)), "r1")
    assert (found.verdict, found.why) == ("none", "it is a part of the init scripts")


LOSSES = [
    # nothing of the data is in these
    ((INDEX,), proved("drop index i"), []),
    (
        (change("column", "public.t.a", "text", "text not null"),),
        proved("alter table t alter a drop not null"),
        [],
    ),
    # what the revision dropped comes back, and is empty
    ((change("column", "public.t.a", "text", None),), proved("alter table t add a text"), []),
    ((change("relation", "public.t", "table", None),), proved("create table t ()"), []),
    # tables with their columns, columns, sequences of nobody's
    ((TABLE, COLUMN), proved("drop table t"), [Loss("table", "public.t")]),
    ((COLUMN,), proved("alter table t drop column a"), [Loss("column", "public.t.a")]),
    (
        (change("sequence", "public.s", None, "bigint"),),
        proved("drop sequence s"),
        [Loss("sequence", "public.s")],
    ),
    ((change("relation", "public.v", None, "view SELECT 1"),), proved("drop view v"), []),
    # another type: what a text can hold is no loss
    (
        (change("column", "public.t.a", "integer", "bigint"),),
        proved("alter table t alter a type integer"),
        [Loss("values", "public.t.a", "bigint becomes integer")],
    ),
    (
        (change("column", "public.t.a", "text", "jsonb"),),
        proved("alter table t alter a type text"),
        [],
    ),
    # rows, by statement
    (
        (COLUMN,),
        proved("delete from t", "alter table t drop column a"),
        [Loss("column", "public.t.a"), Loss("rows", "delete from t")],
    ),
    ((INDEX,), proved("set lock_timeout = '1s'", "lock table t", "drop index i"), []),
    ((INDEX,), proved("savepoint one", "drop index i", "release savepoint one"), []),
    # a new name keeps its rows
    ((TABLE, COLUMN), proved("ALTER TABLE t RENAME TO former"), []),
    ((COLUMN,), proved("ALTER TABLE public.t RENAME COLUMN a TO former"), []),
    (
        (TABLE, change("relation", "public.u", None, "table")),
        proved("alter table t rename to former", "drop table u"),
        [Loss("table", "public.u")],
    ),
    # which name it gives isn't known from its text
    (
        (TABLE, change("relation", "public.u", None, "table")),
        proved("alter table if exists only t rename constraint a to b", "drop table t, u"),
        [
            Loss("table", "public.t", "or gives it another name"),
            Loss("table", "public.u", "or gives it another name"),
        ],
    ),
    # another table takes the name of the one that goes: the structure is the same
    (
        (INDEX,),
        proved("drop table x", "alter table former rename to x"),
        [Loss("rows", "drop table x", UNCOUNTED)],
    ),
    ((INDEX,), proved("create table x (a int)", "drop table x", "drop index i"), []),
    # its code decides
    ((INDEX,), Downgrade("proved", NEEDS_CODE), [Loss("rows", "", "its code decides")]),
    # what stays isn't lost; what goes besides is
    ((TABLE, COLUMN), Downgrade("leaves", "", (), (TABLE, COLUMN)), []),
    (
        (INDEX,),
        Downgrade("leaves", "", (), (change("relation", "public.x", "table", None),)),
        [Loss("table", "public.x")],
    ),
    ((TABLE,), Downgrade("fails", "ValueError"), []),
    ((TABLE,), Downgrade("empty", "", (), (TABLE,)), []),
]


@pytest.mark.parametrize(("changes", "down", "expected"), LOSSES)
def test_what_is_lost(changes: tuple[Change, ...], down: Downgrade, expected: list[Loss]) -> None:
    found = of(down, *changes)
    assert list(found.losses) == expected
    if down.verdict == "proved" and not down.why:
        assert found.verdict == ("loses-data" if expected else "proved")


def test_values_of_an_enum() -> None:
    up = change("enum", "public.mood", "'happy', 'sad'", "'happy', 'sad', 'calm'")
    found = of(proved("alter type mood rename to old"), up)
    assert found.losses == (Loss("values", "public.mood", "'calm' can't be kept"),)


def rows(statement: str, why: str = "") -> Loss:
    return Loss("rows", statement, why)


V = change("column", "public.t.v", None, "text")
HERE = change("column", "public.c.w", None, "text")
PLACED = "another object takes its place"
DOUBTS = [
    # several at once
    (
        (TABLE,),
        ("drop table t, b",),
        [Loss("table", "public.t"), rows("drop table t, b", UNCOUNTED)],
    ),
    (
        (HERE,),
        ("alter table c drop column w", "alter table c drop column v, add column v text"),
        [Loss("column", "public.c.w"), Loss("column", "public.c.v", PLACED)],
    ),
    ((V,), ("alter table if exists t drop v",), [Loss("column", "public.t.v")]),
    (
        (V,),
        ("alter table t drop v, drop o",),
        [Loss("column", "public.t.v"), Loss("column", "public.t.o", PLACED)],
    ),
    # names, with their schemas
    (
        (TABLE, change("relation", "s2.t", None, "table")),
        ("drop table s2.t", "alter table t rename to t_old"),
        [Loss("table", "s2.t")],
    ),
    (
        (TABLE,),
        ("alter table t rename to old", "drop table old"),
        [Loss("table", "public.t")],
    ),
    (
        (INDEX,),
        ("drop table t", "create table t (a int)"),
        [Loss("table", "public.t", PLACED)],
    ),
    (
        (INDEX,),
        ("set search_path to s2", "drop table t", "create table t (a int)"),
        [rows("drop table t", UNCOUNTED)],
    ),
    # several statements in one, or what nobody understands
    ((), ("set local statement_timeout = 0; delete from t",), None),
    ((), ("alter type addr drop attribute zip",), None),
    ((), ("alter type addr alter attribute zip type int",), None),
    ((), ("alter table t frobnicate",), None),
    ((), ("drop schema s2 cascade",), [rows("drop schema s2 cascade", HANGS)]),
    ((), ("drop view v cascade",), [rows("drop view v cascade", HANGS)]),
    ((), ("drop table p1",), [rows("drop table p1", UNCOUNTED)]),
    ((), ("drop sequence s",), [rows("drop sequence s", UNCOUNTED)]),
    ((), ("drop extension timescaledb",), [rows("drop extension timescaledb", UNCOUNTED)]),
    # another type
    (
        (change("column", "public.g.c", "text", "character varying(9)"),),
        ("alter table g alter c type text using null::text",),
        None,
    ),
    (
        (change("column", "public.g.c", "text", "character varying(9)"),),
        ("alter table g alter c type text using other::text",),
        None,
    ),
    ((), ("alter table t alter c type varchar(3) using c::varchar(3)",), None),
    # harmless
    (
        (change("column", "public.g.c", "text", "character varying(9)"),),
        ('ALTER TABLE g ALTER COLUMN c TYPE TEXT USING "c"::text',),
        [],
    ),
    ((), ("-- nothing\nset lock_timeout = '1s;'",), []),
    ((), ("drop extension if exists pg_trgm", "drop type mood", "drop schema s2"), []),
    ((), ("alter table t drop constraint k, add constraint k check (a in (1, 2))",), []),
    (
        (),
        ("alter table t add constraint k foreign key (a) references u (a) on delete cascade",),
        [],
    ),
]


@pytest.mark.parametrize(("changes", "statements", "expected"), DOUBTS)
def test_what_is_not_certain_is_a_loss(
    changes: tuple[Change, ...], statements: tuple[str, ...], expected: list[Loss] | None
) -> None:
    """None: that statement, of which nobody knows which rows it changes."""
    found = list(of(proved(*statements), *changes).losses)
    assert found == ([Loss("rows", statements[0])] if expected is None else expected)
