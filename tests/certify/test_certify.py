"""`surefoot certify` on a small application: without a bug, and with one at a time.

`python -m tests.certify.planted` does it with all cases and all bugs.
"""

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from surefoot.certify.kept import FILE
from surefoot.certify.plan import KINDS
from surefoot.postgres.embedded import Server
from tests.certify.grounds import GROUNDS, PLANTED, Place
from tests.certify.planted import BUGS, certified
from tests.certify.project import clean
from tests.support.project import Application

FROM = "v2@base/generated"

# A case of each kind that takes no statement's number.
CASES = [
    f"{FROM}/{kind}"
    for kind in (
        *("upgrade", "again", "stepwise", "customised/7", "replicas/3", "unversioned"),
        *("newer-structure", "damaged-rows/garbage", "damaged-rows/overlap", "seeds"),
        *("older-image", "restore", "down/7"),
    )
]


@pytest.fixture
def application(tmp_path: Path) -> Application:
    return clean(tmp_path / "application")


def _options(server: Server, *cases: str) -> list[str]:
    found = ["--server", server.url()]
    for case in cases:
        found += ["--case", case]
    return found


def _plant(name: str, application: Application) -> str:
    """Plant this bug; the case that shows it."""
    small = GROUNDS["small"]
    BUGS[name].plant(Place(small, application))
    return BUGS[name].case_on(small)


@pytest.mark.slow
def test_an_application_without_a_bug_passes(application: Application, server: Server) -> None:
    """Each kind of case, and SIGKILL while an index is made CONCURRENTLY."""
    options = _options(server)
    plan = application.run("certify", "--plan", "--json", "--from", "v2", *options).json
    killed = [one["name"] for one in plan["cases"] if "/kill/" in one["name"]]
    (midway,) = {name.rpartition("-")[0] for name in killed if name.endswith("-while")}
    locked = [one["name"] for one in plan["cases"] if "/locked/" in one["name"]]
    chosen = [*CASES, f"{midway}-while", f"{midway}-after", locked[0], plan["sampled"][0]]
    files = ["--junit", "certify.xml", "--html", "certify.html"]
    done = application.run("certify", "--json", *files, *_options(server, *chosen))
    report = done.json
    assert report["findings"] == [], done.err
    assert done.code == 0
    assert [case["name"] for case in report["cases"] if case["outcome"] != "passed"] == []
    assert sorted(case["name"] for case in report["cases"]) == sorted(chosen)
    tried = {case["name"].split("/")[2] for case in report["cases"]}
    assert tried | {"cut", "kill"} == KINDS.keys()
    (fault,) = (c["fault"] for c in report["cases"] if c["name"] == f"{midway}-while")
    assert fault.startswith("SIGKILL seen while statement")
    suite = ElementTree.parse(application.root / "certify.xml").getroot()
    assert len(suite.findall("./testsuite/testcase")) == len(chosen)
    assert FROM in (application.root / "certify.html").read_text()
    assert not (application.root / "certify" / FILE).exists()


QUICK = ("sequence-behind", "old-image-writes", "seed-not-repeatable", "lock-without-timeout")


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_is_found(name: str, application: Application, server: Server) -> None:
    """By the case that shows it, with exit code 3."""
    case = _plant(name, application)
    code, found = certified(application, *_options(server, case))
    assert code == 3
    assert {key for key, at in found.items() if at.startswith(case)} == BUGS[name].found


@pytest.mark.slow
def test_a_revision_that_was_edited_after_its_release_is_found(
    application: Application, server: Server
) -> None:
    """By comparing the committed catalogue: whatever the cases say."""
    _plant("edited", application)
    code, found = certified(application, *_options(server, "v1@base/none/again"))
    assert (code, found.keys()) == (3, {"revision-edited"})


@pytest.mark.slow
@pytest.mark.provokes("certify-failed")
@pytest.mark.follows("certify-failed")
def test_what_failed_is_tried_again_and_first(application: Application, server: Server) -> None:
    """The case is kept, the printed command tries it again, and it goes once it passes."""
    _plant("old-data-violates", application)
    kept = application.root / "certify" / FILE
    case = "v2@base/fixtures/upgrade"
    failed = application.run("certify", "--json", *_options(server, case))
    assert failed.code == 3
    assert failed.error == "certify-failed"
    assert kept.read_text().splitlines()[-1] == case
    (problem,) = failed.json["problems"]
    assert problem["revisions"] == [PLANTED]
    plan = application.run("certify", "--plan", "--from", "v2", *_options(server))
    assert plan.out.splitlines()[0] == case
    application.revision(
        PLANTED,
        "r4",
        "update people set mood = 'good' where mood is null",
        "alter table people alter mood set default 'good'",  # the seed script gives none
        "alter table people add check (mood is not null)",
    )
    command = failed.json["findings"][0]["next"].splitlines()[1].split()
    again = application.run(*command[1:], "--json", *_options(server))
    assert (again.code, again.json["findings"]) == (0, [])
    assert not kept.exists()


@pytest.mark.slow
@pytest.mark.provokes("certify-incomplete")
@pytest.mark.follows("certify-incomplete")
def test_too_few_minutes_are_told(tmp_path: Path, server: Server) -> None:
    """With an estimate of how many it takes, which suffice."""
    application = Application(tmp_path / "application")
    application.revision("r1", None, "create table people (id int primary key)")
    application.revision("r2", "r1", "create table pets (id int primary key)")
    options = ["--json", "--server", server.url()]
    words = ["--minutes", "0", "--from", "r1", "--exhaustive"]
    done = application.run("certify", *words, *options)
    assert (done.code, done.error) == (3, "certify-incomplete")
    outcomes = {case["outcome"] for case in done.json["cases"]}
    assert outcomes == {"passed", "not-run"}
    command = done.json["findings"][0]["next"].splitlines()[1].split()
    enough = application.run(*command[1:], *options)
    assert (enough.code, enough.json["findings"]) == (0, [])


@pytest.mark.slow
@pytest.mark.provokes("case-unknown")
@pytest.mark.follows("case-unknown")
def test_a_case_that_there_is_not_is_told(application: Application, server: Server) -> None:
    """The plan lists those that there are."""
    options = ["--server", server.url()]
    done = application.run("certify", "--json", "--case", "v9@base/none/again", *options)
    assert (done.code, done.error) == (2, "case-unknown")
    command = done.json["findings"][0]["next"].splitlines()[1].split()
    plan = application.run(*command[1:], *options)
    cases = [line.partition("  ")[0] for line in plan.out.splitlines()]
    assert "v1@base/none/again" in cases
    known = application.run("certify", "--json", "--case", "v1@base/none/again", *options)
    assert known.code == 0


@pytest.mark.slow
def test_a_case_may_begin_where_no_release_is_named(
    application: Application, server: Server
) -> None:
    """As the command has it that a run with --from prints: it needs no --from of its own."""
    options = ["--server", server.url()]
    done = application.run("certify", "--json", "--case", "r2@base/none/again", *options)
    assert [case["name"] for case in done.json["cases"]] == ["r2@base/none/again"]
    assert done.code == 0


@pytest.mark.slow
def test_the_report_for_people_names_the_case(application: Application, server: Server) -> None:
    BUGS["sequence-behind"].plant(Place(GROUNDS["small"], application))
    bug = BUGS["sequence-behind"]
    done = application.run(
        "certify", "--seed", "5", *_options(server, bug.case_on(GROUNDS["small"]))
    )
    assert done.code == 3
    assert f"surefoot certify --seed 5 --case {bug.case_on(GROUNDS['small'])}" in done.out
    assert "people_id_seq is at" in " ".join(done.out.split())


SMOKE = """\
import os, sys, psycopg

with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("select initial from people")
sys.exit("it misses a column" if os.environ["CERTIFY_RELEASE"] == "v2" else 0)
"""


@pytest.mark.slow
def test_the_projects_smoke_command_is_asked(application: Application, server: Server) -> None:
    """After the upgrade, and for the older release that surefoot lets in."""
    application.write("smoke.py", SMOKE)
    config = (application.root / "surefoot.toml").read_text()
    application.config(f"certify_smoke = {f'{sys.executable} smoke.py'!r}\n{config}")
    cases = [f"{FROM}/upgrade", f"{FROM}/older-image"]
    done = application.run("certify", "--json", *_options(server, *cases))
    outcomes = {case["name"]: case["outcome"] for case in done.json["cases"]}
    assert outcomes == {cases[0]: "passed", cases[1]: "failed"}
    (problem,) = done.json["problems"]
    assert problem["invariant"] == "what_starts_works"
    assert "certify_smoke ended with 1: it misses a column" in problem["message"]
