"""What certify plans, keeps and reports: values in, values out."""

import os
import random
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from surefoot.catalogue.catalogue import Catalogue, Way
from surefoot.certify.campaign import Options, Report
from surefoot.certify.data import _said, _values_of  # pyright: ignore[reportPrivateUsage]
from surefoot.certify.invariants import Violation, application_raised
from surefoot.certify.kept import FILE, read_failed, write_failed
from surefoot.certify.plan import (
    EMPTY,
    FIXTURES,
    KINDS,
    Case,
    Plan,
    Structure,
    Subject,
    boundaries,
    case_of,
    faults,
    fixtures,
    plan,
    samples,
    structures,
    waits,
)
from surefoot.certify.problems import problems
from surefoot.certify.proxy import Statement
from surefoot.certify.result import Result
from surefoot.certify.running import Output
from surefoot.errors import SurefootError
from surefoot.errors.masking import keep_secrets
from surefoot.model.history import History, Revision
from surefoot.report.certify_html import html
from surefoot.report.certify_junit import junit
from surefoot.report.certifying import cell_text
from tests.certify.grounds import GROUNDS
from tests.certify.planted import BUGS


def _log(*texts: str, own: bool = False, link: int = 1) -> list[Statement]:
    return [Statement(n, own, text, n / 100, link) for n, text in enumerate(texts, 1)]


def _revision(id: str, *parents: str, release: str | None = None) -> Revision:
    return Revision(id, parents, (), f"Revision {id}", release, f"{id}.py", "0" * 64)


HISTORY = History(
    {
        one.id: one
        for one in (
            _revision("r1", release="v1"),
            _revision("r2", "r1"),
            _revision("r3", "r2", release="v2"),
            _revision("r4", "r3"),
        )
    }
)
CATALOGUE = Catalogue(
    HISTORY, (Way("base", frozenset(), (), dict.fromkeys(HISTORY.revisions, ())),)
)
V1 = Structure("v1", "base", ("r1",))
SUBJECT = Subject(V1, "generated")


# --- where upgrades begin


def test_every_release_and_the_empty_database_are_structures() -> None:
    """But not the head, from which nothing leads on."""
    names = [one.name for one in structures(CATALOGUE)]
    assert names == ["empty", "v1@base", "v2@base"]


def test_named_releases_and_revisions_are_the_only_structures() -> None:
    assert [one.name for one in structures(CATALOGUE, ["v2", "r2"])] == ["v2@base", "r2@base"]


def test_a_history_without_releases_has_revisions_evenly_spaced() -> None:
    plain = History({f"r{n}": _revision(f"r{n}", *[f"r{n - 1}"][: n - 1]) for n in range(1, 14)})
    catalogue = Catalogue(
        plain, (Way("base", frozenset(), (), dict.fromkeys(plain.revisions, ())),)
    )
    found = [one.release for one in structures(catalogue) if one.way != EMPTY]
    assert found == ["r1", "r3", "r5", "r7", "r9", "r11"]


def test_a_release_that_there_is_not_is_told() -> None:
    with pytest.raises(SurefootError) as raised:
        structures(CATALOGUE, ["v9"])
    assert raised.value.finding.code == "revision-not-found"


# --- where a run is killed


def test_the_commit_of_what_was_written_is_a_boundary() -> None:
    log = _log("BEGIN", "-- a comment\ncreate table t ()", "COMMIT")
    assert [(one.number, sides) for one, sides in boundaries(log)] == [(3, ("before", "after"))]


def test_what_only_reads_or_is_rolled_back_has_no_boundary() -> None:
    reads = _log("BEGIN", "select 1", "COMMIT")
    pinned = _log("BEGIN", "set transaction isolation level serializable, read only",
                  "select 'create'", "COMMIT")  # fmt: skip
    undone = _log("BEGIN", "insert into t values (1)", "ROLLBACK")
    assert [boundaries(log) for log in (reads, pinned, undone)] == [(), (), ()]


def test_a_rollback_to_a_savepoint_ends_no_transaction() -> None:
    log = _log("begin", "delete from t", "rollback to savepoint s", "commit")
    assert [one.number for one, _ in boundaries(log)] == [4]


def test_each_statement_outside_a_transaction_is_a_boundary() -> None:
    log = _log("select 1", "create index concurrently i on t (a)", "update t set a = 1")
    assert [(one.number, sides) for one, sides in boundaries(log)] == [
        (2, ("while", "after")),
        (3, ("while", "after")),
    ]


def test_connections_have_transactions_of_their_own() -> None:
    one, other = Statement(1, False, "BEGIN", 0, 1), Statement(2, False, "update t set a = 1", 0, 2)
    assert [found.number for found, _ in boundaries([one, other])] == [2]


def test_every_boundary_is_killed_and_cut_and_every_other_statement_may_be() -> None:
    log = _log("BEGIN", "insert into t values (1)", "COMMIT")
    exhaustive = [case.name for case in faults(SUBJECT, log)]
    assert exhaustive == [
        f"v1@base/generated/{does}/3-{side}"
        for side in ("before", "after")
        for does in ("kill", "cut")
    ]
    sampled = samples(SUBJECT, log, random.Random(1))
    assert [case.fault.at.number for case in sampled if case.fault] == [1, 2]
    assert not any(case.exhaustive for case in sampled)


# --- where a run may wait for a lock


def _waits(*texts: str, own: bool = False) -> list[int]:
    return [one.number for one in waits(_log(*texts, own=own))]


def test_each_statement_outside_a_transaction_may_wait_in_its_own_way() -> None:
    assert _waits("alter table t add a int", "select 1", "alter table t add b int") == [1, 3]


def test_a_transaction_is_entered_at_the_first_statement_that_writes() -> None:
    ended = ("rollback", "begin", "update t set a = 2", "commit")
    log = ("begin", "select 1", "update t set a = 1", "drop table t", *ended)
    assert _waits(*log) == [3, 7]
    assert _waits(*log, own=True) == []


def test_a_limit_that_the_application_changes_is_another_way_to_wait() -> None:
    changed = ("set local lock_timeout = 0", "drop table t", "drop table u")
    assert _waits("begin", "update t set a = 1", *changed, "commit") == [2, 4]


def test_what_the_applications_own_code_can_not_read_is_a_doubt() -> None:
    """A generated text; but a row that the server refuses is a failure."""
    at, server = "at r2.py:3", "value too long (SQLSTATE 22001)"
    for seen, doubted in (((at, "KeyError: 'a'"), True), ((at, server), False)):
        finding = {"code": "revision-failed", "seen": list(seen)}
        said = msgspec.json.encode({"findings": [finding]}).decode()
        assert application_raised(Output("up --json", 5, said, "")) is doubted


# --- the plan


def test_the_same_seed_makes_the_same_plan() -> None:
    log = {SUBJECT.name: _log(*["BEGIN", "insert into t values (1)"] * 9, "COMMIT")}
    one, same, other = (plan([SUBJECT], log, seed) for seed in (1, 1, 2))
    assert one == same
    assert one.sampled != other.sampled
    assert one.cases != other.cases  # the customisations' seeds


def test_a_subject_that_did_not_reach_head_has_its_upgrade_alone() -> None:
    assert [case.name for case in plan([SUBJECT], {}, 1).cases] == ["v1@base/generated/upgrade"]


def test_a_case_is_known_by_its_name() -> None:
    log = _log("BEGIN", "insert into t values (1)", "COMMIT")
    made = plan([SUBJECT], {SUBJECT.name: log}, 1, seeds=True)
    for case in (*made.cases, *made.sampled):
        found = case_of(case.name, [SUBJECT])
        assert found is not None
        assert found.name == case.name
        assert (found.fault and found.fault.at) == (case.fault and case.fault.at)
    assert {case.kind for case in made.cases} == KINDS.keys()
    for name in (
        *("v9@base/none/again", f"{SUBJECT.name}/danced", f"{SUBJECT.name}/kill/x-before"),
        *(
            f"{SUBJECT.name}/{end}"
            for end in ("replicas/x", "replicas/99", "again/1", "customised")
        ),
        f"{SUBJECT.name}/kill/{'9' * 5000}-before",
    ):
        assert case_of(name, [SUBJECT]) is None


# --- generated values


@pytest.mark.parametrize(
    ("type", "boundary", "value"),
    [
        ("integer", True, "2147483647"),
        ("numeric(5,2)", True, "999"),
        ("numeric(3,3)", False, "0.5"),
        ("timestamp(3) with time zone", False, "2025-06-01 12:00:01+00"),
        ("some.type", False, None),
    ],
)
def test_a_type_has_plain_and_boundary_values(type: str, boundary: bool, value: str) -> None:
    assert next(iter(_values_of(type, 0, boundary)), None) == value


# --- failed cases are kept


def _result(case: str, outcome: str = "failed", *told: str) -> Result:
    found = case_of(case, [SUBJECT])
    assert found is not None
    violations = tuple(Violation("head_in_one_start", one) for one in told)
    return Result(found, outcome, violations)  # type: ignore[arg-type]


def test_failed_cases_are_kept_until_they_pass(tmp_path: Path) -> None:
    again, seeds = f"{SUBJECT.name}/again", f"{SUBJECT.name}/seeds"
    assert read_failed(tmp_path) == ()
    write_failed(tmp_path, [_result(again), _result(seeds, "passed")])
    assert read_failed(tmp_path) == (again,)
    write_failed(tmp_path, [_result(seeds, "missed")])
    assert read_failed(tmp_path) == (again, seeds)
    write_failed(tmp_path, [_result(n, "passed") for n in (again, seeds)])
    assert not (tmp_path / FIXTURES / FILE).exists()


def test_a_link_in_the_place_of_the_failed_cases_is_replaced_not_followed(tmp_path: Path) -> None:
    """The file may come from somebody else."""
    (tmp_path / FIXTURES).mkdir()
    outside, file = tmp_path / "outside", tmp_path / FIXTURES / FILE
    outside.write_text(f"{SUBJECT.name}/again\n")
    file.symlink_to(outside)
    write_failed(tmp_path, [_result(f"{SUBJECT.name}/seeds")])
    assert outside.read_text() == f"{SUBJECT.name}/again\n"
    assert len(read_failed(tmp_path)) == 2
    assert not file.is_symlink()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"v1@base/none/again\n<<<<<<< HEAD\n", ":2: '<<<<<<< HEAD' is not a case."),
        (b"v1@base/none/replicas/100000\n", ":1: 'v1@base/none/replicas/100000' is not a case."),
        (b"\xff\n", "can't be read."),
    ],
)
def test_what_is_no_case_is_told_with_its_line(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / FIXTURES).mkdir()
    (tmp_path / FIXTURES / FILE).write_bytes(content)
    with pytest.raises(SurefootError) as raised:
        read_failed(tmp_path)
    assert raised.value.finding.code == "case-unknown"
    assert raised.value.finding.message.endswith(told)


def test_a_pipe_in_the_place_of_the_failed_cases_is_told(tmp_path: Path) -> None:
    """It isn't waited for."""
    (tmp_path / FIXTURES).mkdir()
    os.mkfifo(tmp_path / FIXTURES / FILE)
    with pytest.raises(SurefootError):
        read_failed(tmp_path)


def test_a_releases_name_leads_to_no_file_elsewhere(tmp_path: Path) -> None:
    (tmp_path / FIXTURES).mkdir()
    for name in ("v1", "../elsewhere"):
        (tmp_path / FIXTURES / f"{name}.sql").write_text("select 1;")
    assert fixtures(tmp_path, Structure("v1", "base")) is not None
    assert fixtures(tmp_path, Structure("../elsewhere", "base")) is None


# --- what is told


def test_every_planted_bug_is_in_the_document_and_no_other() -> None:
    """With what finds it."""
    text = (Path(__file__).parents[2] / "docs" / "evidence" / "planted-bugs.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    told = {
        (row[0], row[1]): row[2].partition(",")[0].strip("`")
        for row in rows
        if len(row) == 5 and row[0] in GROUNDS
    }
    for ground in GROUNDS:
        assert told.pop((ground, "none: the application as it is"), "nothing") == "nothing"
    planted = {(name, bug.what): bug for bug in BUGS.values() for name in bug.grounds}
    assert told.keys() == planted.keys()
    assert all(told[at] in bug.found for at, bug in planted.items())


def test_a_problem_is_told_once_with_its_smallest_case() -> None:
    results = [
        _result(f"{SUBJECT.name}/kill/{n}-before", "failed", "r3 was left half-way") for n in (9, 4)
    ]
    (problem,) = problems(CATALOGUE, results)
    assert (problem.case, problem.cases) == (f"{SUBJECT.name}/kill/4-before", 2)
    assert problem.revisions == ("r3",)


def test_a_cell_says_what_was_exhaustive_and_what_was_sampled() -> None:
    sampled = Case(SUBJECT, "customised", "7", exhaustive=False)
    found = [_result(f"{SUBJECT.name}/again"), Result(sampled, "passed")]
    assert cell_text(found) == "1 failed, 1 passed (1 exhaustive, 1 sampled)"


def _report(*results: Result) -> Report:
    return Report(
        *(Options(seed=7), "a server", "0" * 64, ("r4",), (), (SUBJECT,), Plan(7, ())),
        results,
        problems(CATALOGUE, results),
    )


FAILED = _result(f"{SUBJECT.name}/again", "failed", "r4 <b>&</b> \x1b[31m")
NOT_RUN = _result(f"{SUBJECT.name}/stepwise", "not-run")


def test_a_report_passes_only_where_every_case_was_tried_and_passed() -> None:
    passed = _result(f"{SUBJECT.name}/again", "passed")
    assert _report(passed).passed
    assert [f.code for f in _report(passed, FAILED).findings] == ["certify-failed"]
    assert [f.code for f in _report(passed, NOT_RUN).findings] == ["certify-incomplete"]
    missed = _result(f"{SUBJECT.name}/replicas/3", "missed", "never came")
    assert not _report(missed).passed


def test_junit_is_xml_that_counts() -> None:
    root = ElementTree.fromstring(junit(_report(FAILED, NOT_RUN)))
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")
    assert "\x1b" not in junit(_report(FAILED))


def test_a_releases_name_breaks_no_report() -> None:
    """Whatever it consists of."""
    strange = Subject(Structure('v\x1b[2J<&"\x00', "base", ("r1",)), "none")
    result = Result(Case(strange, "again"), "failed", (Violation("no_bug", "a\x00b"),))
    report = msgspec.structs.replace(_report(result), subjects=(strange,))
    (suite,) = ElementTree.fromstring(junit(report))
    assert suite.get("name") == 'v\\x1b[2J<&"\\x00@base/none'
    page = html(report)
    assert "\x1b" not in page
    assert "v\\x1b[2J&lt;&amp;&quot;" in page


def test_no_written_report_has_a_password() -> None:
    keep_secrets({"user": "app", "password": "correct<horse>7"})
    told = _report(_result(f"{SUBJECT.name}/again", "failed", "no such user: correct<horse>7"))
    for text in (junit(told), html(told)):
        assert "no such user" in text
        assert "horse" not in text


def test_the_page_stands_alone_and_escapes() -> None:
    page = html(_report(FAILED, NOT_RUN))
    assert "<b>" not in page
    assert "\x1b" not in page
    assert "&lt;b&gt;&amp;" in page
    for outside in ("<script", "http://", "https://", "url(", "@import"):
        assert outside not in page


def test_a_check_names_the_values_to_try() -> None:
    from surefoot.certify.data import Column

    checks = {"m": "CHECK ((mood = ANY (ARRAY['good'::text, 'it''s'::text])))"}
    column = Column("mood", "text", "S", False, False, False, (), None, checks)
    assert _said(column) == ["good", "it's"]
