"""Backups as values: names, which ones stay, how much room, what differs, marks, properties."""

import msgspec
import pytest

from surefoot.backups.comparison import differences, digested
from surefoot.backups.mark import Mark, own, read, written
from surefoot.backups.names import (
    backup_name,
    is_partial,
    kept_name,
    name_of_partial,
    partial_name,
    restoring_name,
)
from surefoot.backups.properties import properties
from surefoot.backups.retention import Retention, outlived
from surefoot.backups.room import estimate, needed, size_text
from surefoot.backups.sidecar import Contents, Sizes, TableRows, decode, encode
from surefoot.errors import SurefootError
from surefoot.schema.fact import SchemaFact
from tests.support.sidecars import CONTENTS, NOW, sidecar

# --- names


def test_a_backup_is_named_by_database_revision_and_time() -> None:
    assert backup_name("shop", ("b47e0a9d13c8",), NOW) == "shop_b47e0a9d13c8_20261127T190039Z"


@pytest.mark.parametrize(
    ("database", "rows", "name"),
    [
        ("shop", (), "shop_no-revision_20261127T190039Z"),
        ("shop", ("a1", None, "b2"), "shop_a1+b2_20261127T190039Z"),
        ("../et c/pass$wd", ("r1",), "et-c-pass-wd-b899029d_r1_20261127T190039Z"),
        ("läden", ("r1",), "l-den-cf98f495_r1_20261127T190039Z"),
        ("база", ("r1",), "database-82ad6f7f_r1_20261127T190039Z"),
        ("-x", ("r1",), "x-a4209624_r1_20261127T190039Z"),
        ("...", ("r1",), "database-ab5df625_r1_20261127T190039Z"),
    ],
)
def test_no_name_leads_out_of_the_directory(
    database: str, rows: tuple[str | None, ...], name: str
) -> None:
    assert backup_name(database, rows, NOW) == name


def test_a_partial_name_knows_its_backup() -> None:
    partial = partial_name("shop_r-1_20261127T190039Z", "4711.abc")
    assert is_partial(partial)
    assert name_of_partial(partial) == "shop_r-1_20261127T190039Z"
    assert not is_partial("shop_r1_20261127T190039Z.dump")


def test_names_of_databases_keep_their_endings() -> None:
    """PostgreSQL cuts after 63 bytes; a letter isn't cut in two."""
    long = "ä" * 40
    assert restoring_name("shop", "0123456789abcdef") == "shop_restore_0123456789"
    for name in (restoring_name(long, "0123456789ab"), kept_name(long, NOW, ())):
        assert 60 <= len(name.encode()) <= 63
        assert name.startswith("ää")
    assert restoring_name(long, "0123456789ab").endswith("_restore_0123456789")


def test_a_kept_name_is_nobody_elses() -> None:
    first = kept_name("shop", NOW, ())
    assert first == "shop_before_restore_20261127_190039"
    assert kept_name("shop", NOW, (first,)) == f"{first}_2"
    assert kept_name("shop", NOW, (first, f"{first}_2")) == f"{first}_3"


# --- which ones stay


def gone(*ages: tuple[float, str | None], keep: int = 2, days: int | None = None) -> list[float]:
    """The ages of those that go; each is an age in days, and how its upgrade has ended."""
    backups = [(str(age), sidecar(age, upgrade=upgrade)) for age, upgrade in ages]
    return [float(name) for name in outlived(backups, Retention(keep, days), NOW, "")]


def test_the_newest_stay() -> None:
    assert gone((3, None), (1, None), (2, None), (4, None)) == [3, 4]


def test_old_ones_go_but_never_the_newest() -> None:
    assert gone((100, None), (99, None), keep=5, days=30) == [100]
    assert gone((100, None), keep=1, days=1) == []


def test_of_a_failed_upgrade_the_first_and_the_last_stay() -> None:
    """Until one has succeeded."""
    failed = [(1, "failed"), (2, "begun"), (3, "failed"), (4, "failed")]
    assert gone(*failed, keep=1) == [2, 3]
    assert gone(*failed, keep=1, days=2) == [2, 3]
    assert gone((0, "succeeded"), *failed, keep=1) == [1, 2, 3, 4]


def test_trying_again_and_again_does_not_push_out_the_others() -> None:
    tries = [(n / 100, "failed") for n in range(50)]
    assert gone((1, "succeeded"), (2, "succeeded"), *tries, keep=4) == [
        n / 100 for n in range(1, 49)
    ]


def test_failed_upgrades_from_different_revisions_are_told_apart() -> None:
    other = msgspec.structs.replace(CONTENTS, version_rows=("r1",))
    backups = [
        ("a", sidecar(1, upgrade="failed")),
        ("b", sidecar(2, upgrade="failed", contents=other)),
        ("c", sidecar(3, upgrade="failed", contents=other)),
    ]
    assert outlived(backups, Retention(1, None), NOW, "") == ()


# --- room


def test_the_last_backup_tells_how_much_a_new_one_needs() -> None:
    earlier = [
        sidecar(2, bytes=1, sizes=Sizes(10, 10)),
        sidecar(1, bytes=200_000_000, sizes=Sizes(1_000_000_000, 0)),
    ]
    assert estimate(Sizes(2_000_000_000, 0), earlier) == 400_000_000
    assert needed(Sizes(2_000_000_000, 0), 400_000_000) == 440_000_000


def test_without_one_only_what_is_nearly_certain_is_held_against_it() -> None:
    assert estimate(Sizes(2_000_000_000, 0), []) is None
    assert needed(Sizes(2_000_000_000, 0), None) == 200_000_000
    assert needed(Sizes(0, 0), None) == 1_000_000


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0.0 kB"), (812_000, "812 kB"), (4_120_000_000, "4.1 GB"), (25_000_000_000_000, "25 TB")],
)
def test_sizes_for_people(number: int, text: str) -> None:
    assert size_text(number) == text


# --- the sidecar, and what differs


def test_a_sidecar_is_read_as_it_was_written() -> None:
    assert decode(encode(sidecar()), "x.json") == sidecar()


@pytest.mark.parametrize("text", [b"", b"{}", b"\xff", encode(sidecar(schema_version=2))])
def test_what_is_no_sidecar_is_told(text: bytes) -> None:
    with pytest.raises(SurefootError) as raised:
        decode(text, "x.json")
    assert raised.value.finding.code == "backup-unverified"


def facts(*changed: SchemaFact) -> dict[str, str]:
    whole = {
        SchemaFact("relation", "public.a", "table"),
        SchemaFact("column", "public.a.id", "integer not null"),
        SchemaFact("sequence", "public.s", "bigint"),
    }
    names = {fact.name for fact in changed}
    return digested({fact for fact in whole if fact.name not in names} | set(changed))[1]


def test_a_structure_is_hashed_by_table() -> None:
    assert set(facts()) == {"public.a", "(sequence)"}
    retyped = facts(SchemaFact("column", "public.a.id", "bigint not null"))
    assert retyped["public.a"] != facts()["public.a"]
    assert retyped["(sequence)"] == facts()["(sequence)"]


def test_differences_have_names() -> None:
    expected = msgspec.structs.replace(
        CONTENTS, tables=(TableRows("public", "a", 3), TableRows("public", "gone", 1))
    )
    found = Contents(
        ("r3",),
        3,
        "another",
        {"public.a": "9", "public.c": "3"},
        (TableRows("public", "a", 2), TableRows("public", "gone", None)),
    )
    assert differences(expected, expected) == ()
    assert differences(expected, found) == (
        "the version rows: r2 in the backup, r3 restored",
        "the structure of public.a: differs from the backup",
        "the structure of public.b: not restored",
        "the structure of public.c: not in the backup",
        "public.a: 3 rows in the backup, 2 restored",
        "public.gone: 1 rows in the backup, no such table restored",
    )


# --- marks and properties


def test_a_mark_is_told_from_other_comments() -> None:
    mark = Mark("kept", "shop", "abc", "x.dump", comment="it's ours", successor=16412)
    assert read(written(mark)) == mark
    for comment in (None, "", "the shop's own", "surefoot is used here", 'surefoot {"state": 1}'):
        assert read(comment) is None


def test_what_people_wrote_is_found_under_marks() -> None:
    inner = written(Mark("kept", "shop", "abc", "x.dump", comment="it's ours"))
    outer = written(Mark("kept", "shop", "abc", "x.dump", comment=inner))
    assert own(outer) == own(inner) == own("it's ours") == "it's ours"
    assert own(written(Mark("kept", "shop", "abc", "x.dump"))) is own(None) is None


def test_settings_that_are_lists_are_taken_apart() -> None:
    row = {
        "raw": {
            "datcollate": "C",
            "datctype": "C",
            "datconnlimit": -1,
            "datistemplate": False,
        },
        "oid": 1,
        "owner": "app",
        "encoding": "UTF8",
        "tablespace": "pg_default",
        "comment": None,
        "granted": False,
        "grants": [],
        "settings": [
            {"role": None, "config": ['search_path="$user", public, "a""b, c"', "work_mem=7MB"]},
            {"role": "app", "config": ["search_path=", "x.y=a=b, c"]},
        ],
    }
    found = properties(row)
    assert found.grants is None
    assert [(s.role, s.name, s.values) for s in found.settings] == [
        (None, "search_path", ("$user", "public", 'a"b, c')),
        (None, "work_mem", ("7MB",)),
        ("app", "search_path", ("",)),
        ("app", "x.y", ("a=b, c",)),
    ]
