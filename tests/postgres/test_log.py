"""The account for programs (--log json), and how much of it: -v, -q, --log-time."""

import inspect
import json
import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from surefoot.report.log import ANY
from tests import starts
from tests.support.database import Database
from tests.support.project import SYNC_ENV, Application, Result

SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "log.schema.json"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

# An application that logs, as Alembic's template has it, and prints.
LOGGING_ENV = (
    "import logging, sys\nlogging.basicConfig(level='INFO', stream=sys.stderr)\n" + SYNC_ENV
)


def validate(value: Any, wanted: dict[str, Any], whole: dict[str, Any]) -> None:
    """As much of JSON schema as the document uses. Raises AssertionError."""
    for word in wanted:
        assert word in KNOWN, word
    if "$ref" in wanted:
        validate(value, whole["$defs"][wanted["$ref"].removeprefix("#/$defs/")], whole)
    if "anyOf" in wanted:
        fitting = 0
        if "discriminator" in wanted:
            ref = wanted["discriminator"]["mapping"][value["event"]]
            validate(value, {"$ref": ref}, whole)
            return
        for one in wanted["anyOf"]:
            try:
                validate(value, one, whole)
            except AssertionError:
                continue
            fitting += 1
        assert fitting, (value, wanted["anyOf"])
    if "enum" in wanted:
        assert value in wanted["enum"], value
    if "type" in wanted:
        kinds = TYPES[wanted["type"]]
        assert isinstance(value, kinds), (value, wanted)
        assert not isinstance(value, bool) or wanted["type"] == "boolean"
    if isinstance(value, dict) and "properties" in wanted:
        assert set(wanted["required"]) <= set(value), (value, wanted)
        for key, inner in value.items():
            if wanted.get("additionalProperties") is False:
                assert key in wanted["properties"], key
            validate(inner, wanted["properties"].get(key, {}), whole)
    if isinstance(value, list) and "items" in wanted:
        for one in value:
            validate(one, wanted["items"], whole)


TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
KNOWN = {
    *("$schema", "$defs", "$ref", "anyOf", "discriminator", "enum", "type", "properties"),
    *("required", "additionalProperties", "items", "default", "title", "description"),
}


def events(done: Result, *, last: bool = True) -> list[dict[str, Any]]:
    """Every line of standard error, each one a valid event."""
    whole = json.loads(SCHEMA.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = []
    for line in done.err.splitlines():
        msgspec.json.decode(line, type=ANY)
        event = json.loads(line)
        validate(event, whole, whole)
        assert re.fullmatch(TIME, event["time"])
        found.append(event)
    if last:
        assert found[-1]["event"] == "exit"
        assert found[-1]["exit_code"] == done.code
    return found


def kinds(found: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in found]


def schema() -> dict[str, Any]:
    """The JSON schema of a line; from Python 3.13 on, docstrings aren't indented."""
    found = msgspec.json.schema(ANY)
    for event in found["$defs"].values():
        if "description" in event:
            event["description"] = inspect.cleandoc(event["description"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def test_the_schema_is_the_codes() -> None:
    """To write it anew: python -m tests.postgres.test_log"""
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == schema()


def test_every_event_is_described_and_no_other() -> None:
    page = (SCHEMA.parents[1] / "guides" / "log.md").read_text(encoding="utf-8")
    section = page.partition("## A log for programs\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|", section, re.M)
    assert sorted(rows) == sorted(schema()["discriminator"]["mapping"])


def test_an_upgrade_as_events(application: Application, database: Database) -> None:
    application.revision("r1", None, body="print('hello')\nop.execute('select 1')", message="One")
    application.revision("r2", "r1", "select pg_sleep(1)")
    application.write("seed.sql", "select 1;")
    application.config('seeds = ["seed.sql"]\n')
    application.env(LOGGING_ENV)
    done = application.run("up", "--log", "json", "--progress-every", "300ms", url=database.url())
    assert done.code == 0, done.err
    found = events(done)
    begun = [e for e in found if e["event"] == "begin"]
    assert [(e["step"], e["of"], e["name"], e["revision"]) for e in begun] == [
        (1, 3, "r1", "r1"),
        (2, 3, "r2", "r2"),
        (3, 3, "seed.sql", None),
    ]
    assert begun[0]["message"] == "One"
    printed = [e["text"] for e in found if e["event"] == "output"]
    assert "hello" in printed
    assert any("Running upgrade r1 -> r2" in text for text in printed)
    told = kinds(found)
    assert told.index("found") < told.index("plan") < told.index("begin")
    hello = next(n for n, e in enumerate(found) if e.get("text") == "hello")
    assert told.index("begin") < hello < told.index("end")  # in order
    goes = [e for e in found if e["event"] == "progress"]
    assert goes
    assert goes[0]["name"] == "r2"
    assert goes[0]["activity"]["wait_event"] == "PgSleep"
    assert goes[0]["activity"]["query"] == "select pg_sleep(?)"
    (outcome,) = (e for e in found if e["event"] == "outcome")
    assert outcome["current"] == ["r2"]
    assert [d["name"] for d in outcome["done"]] == ["r1", "r2", "seed.sql"]


@pytest.mark.parametrize("options", [(), ("-q",), ("--progress-every", "5s"), ("--log-time",)])
def test_a_start_with_nothing_to_do(
    application: Application, database: Database, options: tuple[str, ...]
) -> None:
    """The quick look says what the thorough one says."""
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    quick = events(application.run("up", "--log", "json", *options, url=database.url()))
    other = events(application.run("up", "--log", "json", "--json", url=database.url()))
    for event in (*quick, *other):
        del event["time"]
        event.pop("seconds", None)
    assert quick == other
    assert kinds(quick) == ["outcome", "exit"]


def test_a_failure_as_events(application: Application, database: Database) -> None:
    application.revision("r1", None, "select 1 / 0")
    found = events(application.run("up", "--log", "json", url=database.url()))
    assert kinds(found)[-5:] == ["stopped", "traceback", "finding", "outcome", "exit"]
    finding = found[-3]
    assert (finding["code"], finding["exit_code"], finding["level"]) == (
        "revision-failed",
        5,
        "error",
    )
    assert any("r1.py:" in line and "in upgrade" in line for line in found[-4]["lines"])


@pytest.mark.parametrize(
    "command",
    [
        ("down", "--to", "r1", "--yes"),
        ("adopt",),
        ("repair",),
        ("cleanup", "--yes"),
        ("backup",),
        ("up", "--database-url", "postgresql://nobody@127.0.0.1:1/none"),
        ("restore", "no-such-backup"),
    ],
)
def test_every_command_that_may_take_long_writes_events(
    application: Application, database: Database, command: tuple[str, ...]
) -> None:
    application.linear()
    application.config('wait = "0s"\n')
    assert application.run("up", url=database.url()).code == 0
    found = events(application.run(*command, "--log", "json", url=database.url()))
    assert len(found) > 1


def test_passwords_are_masked_in_what_is_printed(
    application: Application, database: Database
) -> None:
    application.revision("r1", None, body="print('password is', 'a-secret-one')")
    env = {"SOME_PASSWORD": "a-secret-one"}
    done = application.run("up", "--log", "json", url=database.url(), env=env)
    assert done.code == 0, done.err
    assert "a-secret-one" not in done.err
    assert "password is ***" in [e.get("text") for e in events(done)]


def test_each_line_has_the_time_where_that_is_asked_for(
    application: Application, database: Database
) -> None:
    application.linear()
    for _ in range(2):
        done = application.run("up", "--log-time", url=database.url())
        assert done.code == 0
        lines = [line for line in done.err.splitlines() if line]
        assert lines
        assert all(re.match(rf"{TIME} \S|{TIME}  ", line) for line in lines), done.err


def test_quiet_shows_warnings_refusals_and_the_end(
    application: Application, database: Database
) -> None:
    application.linear()
    done = application.run("up", "-q", url=database.url())
    assert done.code == 0
    assert re.fullmatch(r"now       at head, r3; 3 revisions applied in \d+\.\d s\n", done.err), (
        done.err
    )
    database.execute("insert into people values (1, 'Ada')")
    application.revision("r4", "r3", body="op.drop_table('people')")
    application.config('destructive = "refuse"\n')
    assert "would destroy data" in application.run("up", "-q", url=database.url()).err
    said = application.run("up", "-q", "--accept-data-loss", url=database.url()).err
    assert said.startswith("loses     table public.people with 1 row (r4)\n")
    assert "begins" not in said


HELPER = """\
def fill(op):
    raise ValueError('the helper gives up')
"""


@pytest.mark.parametrize("verbose", [True, False])
def test_the_traceback_of_a_revision(
    application: Application, database: Database, verbose: bool
) -> None:
    """By default the frames in the application's own files; with -v all of it."""
    application.write("helper.py", HELPER)
    application.ini("prepend_sys_path = .")
    application.revision("r1", None, body="import helper\nhelper.fill(op)")
    done = run_whole(application, database, *(("-v",) if verbose else ()))
    assert done.code == 5
    assert ("helper.py:2 in fill: raise ValueError" in done.err) is not verbose
    assert ("Traceback (most recent call last)" in done.err) is verbose


def run_whole(application: Application, database: Database, *options: str) -> Result:
    """As `application.run`, which takes a traceback for a bug."""
    done = starts.run(
        *("-m", "surefoot", "up", *options),
        cwd=application.root,
        env={**os.environ, "SUREFOOT_DATABASE_URL": database.url()},
        timeout=240,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def test_v_and_q_are_not_both_meant(application: Application) -> None:
    done = application.run("up", "-v", "-q")
    assert done.code == 2
    assert "-v and -q can't be used together" in done.err


@pytest.mark.parametrize("options", [(), ("-v",)])
def test_an_env_py_that_raises(
    application: Application, database: Database, options: tuple[str, ...]
) -> None:
    application.linear()
    application.env("def broken():\n    raise KeyError('settings')\nbroken()\n")
    done = run_whole(application, database, *options)
    assert done.code == 4
    assert ("Traceback (most recent call last)" in done.err) is bool(options)


def test_what_is_logged_and_printed_appears_in_order(
    application: Application, database: Database
) -> None:
    """In text, too: nothing of it is swallowed."""
    application.env(LOGGING_ENV)
    application.revision(
        "r1", None, body="import logging\nprint('first')\nlogging.info('second')\nprint('third')"
    )
    said = application.run("up", url=database.url()).err
    places = [said.index(word) for word in ("begins 1/1", "first", "second", "third", "· r1")]
    assert places == sorted(places)
    assert "Running upgrade  -> r1" in said


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
