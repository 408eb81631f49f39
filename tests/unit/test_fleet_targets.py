"""The list of a fleet: whatever it holds, each entry is an address or one error."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.errors import Finding, SurefootError
from surefoot.fleet.targets import Listed, Rows, Shard, address, in_turn, read
from surefoot.model.target import Target, parse

LINES = st.lists(
    st.text()
    | st.builds(json.dumps, st.dictionaries(st.text(), st.none() | st.text() | st.integers()))
    | st.builds(
        json.dumps,
        st.dictionaries(st.sampled_from(["name", "url", "host", "dbname", "port"]), st.text()),
    )
    | st.builds("postgresql://{}/{}".format, st.text(), st.text())
)


def nobody(_: str) -> Rows:
    raise AssertionError("no query was given")


T = TypeVar("T")


def failing(call: Callable[[], T], *codes: str) -> T | Finding:
    """What it returns, or its finding, which has one of these codes."""
    try:
        return call()
    except SurefootError as error:
        found = error.finding
    assert found.code in codes
    return found


@settings(deadline=None)
@given(LINES)
def test_whatever_a_list_holds(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    file = tmp_path_factory.getbasetemp() / "list"
    file.write_bytes("\n".join(lines).encode("utf-8", "replace"))
    listing = failing(lambda: read(str(file), nobody, Shard()), "targets-unreadable")
    if isinstance(listing, Finding):
        return
    names = [one.name for one in listing.entries]
    assert len(names) == len(set(names))
    for one in listing.entries:
        codes = ("target-invalid", "database-url-invalid")
        found = failing(lambda one=one: one.target({"A": "b"}), *codes)
        if isinstance(found, Finding):
            assert one.where in found.message
        else:
            assert found.parameters.keys() & {"dbname", "service"}


def written(directory: Path, *entries: dict[str, str]) -> list[Listed]:
    file = directory / "list"
    file.write_text("".join(f"{json.dumps(one)}\n" for one in entries))
    return read(str(file), nobody, Shard()).entries


def test_the_servers_come_in_turn(tmp_path: Path) -> None:
    hosts = ["a", "a", "a", "b", "c", "c"]
    names = [{"name": f"{n}", "host": host, "dbname": "x"} for n, host in enumerate(hosts)]
    found = written(tmp_path, *names)
    assert [one.name for one in found] == ["0", "3", "4", "1", "5", "2"]
    assert in_turn([]) == []


@given(st.text(), st.integers(1, 50))
def test_a_name_belongs_to_one_shard(name: str, of: int) -> None:
    assert [Shard(number, of).takes(name) for number in range(of)].count(True) == 1


def test_shards_are_alike() -> None:
    """And the same ones always: pods of different releases cut the list in one way."""
    names = [f"customer {n}" for n in range(10_000)]
    sizes = [sum(Shard(number, 10).takes(name) for name in names) for number in range(10)]
    assert max(sizes) < 1.2 * min(sizes)
    of_four = [[Shard(n, 4).takes(name) for n in range(4)].index(True) for name in FOUR]
    assert of_four == [1, 3, 1, 2]


FOUR = ("acme", "bolt", "corp", "dune")


def test_parts_count_instead_of_the_addresss_own(tmp_path: Path) -> None:
    (one,) = written(tmp_path, {"url": "postgresql://u:p@h:1/d", "host": "other", "dbname": "e"})
    assert one.target({}).parameters == {
        "user": "u",
        "password": "p",
        "host": "other",
        "port": "1",
        "dbname": "e",
    }
    assert one.name == "e on other:1"


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {"dbname": WORDS, "user": WORDS, "password": WORDS},
        optional={
            "host": st.sampled_from(["db", "/var/run", "::1", "a,b", "10.0.0.1"]),
            "port": st.sampled_from(["5433"]),
            "hostaddr": st.just("10.0.0.2"),
            "passfile": WORDS,
            "sslrootcert": WORDS,
            "target_session_attrs": st.just("read-write"),
        },
    ),
    st.sampled_from([None, "postgresql+asyncpg", "postgresql+psycopg2", "postgresql+pg8000"]),
    st.sampled_from([{}, {"prepared_statement_cache_size": "0"}]),
)
def test_a_run_reads_the_address_that_was_meant(
    parameters: dict[str, str], driver: str | None, extra: dict[str, str]
) -> None:
    """Whatever the driver's own URL could say of it."""
    found = parse(address(Target(parameters, "", driver, extra)), "")
    assert (found.driver, found.extra) == (driver, extra)
    expected = dict(parameters)
    if parameters.get("host") == "a,b":  # several hosts have a port each
        expected["port"] = ",".join([parameters.get("port", "5432")] * 2)
    assert found.parameters == expected


def test_a_password_by_variable_and_by_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" s\u00e9cret\n")
    by_file, by_variable = written(
        tmp_path,
        {"dbname": "a", "password_file": str(tmp_path / "secret")},
        {"dbname": "b", "password_variable": "B"},
    )
    assert by_file.target({"B": "x"}).parameters["password"] == "s\u00e9cret"
    assert by_variable.target({"B": "x"}).parameters["password"] == "x"
    with pytest.raises(SurefootError):
        by_variable.target({"C": "x"})
