"""`surefoot history`: the list, the graph and the diagram, with and without a database."""

import re
from pathlib import Path

import pytest

from tests.support.catalogues import with_catalogue
from tests.support.database import Database
from tests.support.project import Application

NO_SERVER = "postgresql://127.0.0.1:9/nowhere"


@pytest.fixture
def branched(application: Application) -> Application:
    """r1, two branches from it, a merge, a head; and a second base that depends on a branch."""
    application.revision("r1", None, "create table people (id int)", message="People")
    application.revision("a1", "r1", "create table pets (id int)", head='release = "v1.0"')
    application.revision("b1", "r1", "create table toys (id int)", message='Toys "<new>"')
    application.revision("b2", "b1", "create table books (id int)")
    application.revision("m1", ("a1", "b2"), message="Merge")
    application.revision("x1", None, "create table extra (id int)", depends_on="b1")
    application.config("heads = 2\n")
    return application


GRAPH = """\
●      m1  Merge  (head)
├─╮
● │    a1  Revision a1  (v1.0)
│ ●    b2  Revision b2
│ │ ●  x1  Revision x1  (head, depends on b1)
│ ●    b1  Toys "<new>"
├─╯
●      r1  People
"""


def test_the_graph_without_a_database(branched: Application) -> None:
    result = branched.run("history", "--graph")
    assert (result.code, result.err) == (0, "")
    assert result.out == GRAPH
    document = Path(__file__).parents[2] / "docs" / "guides" / "releases.md"
    assert f"```text\n{GRAPH}```" in document.read_text(encoding="utf-8")


def test_the_plain_list_where_no_server_answers(branched: Application) -> None:
    result = branched.run("history", url=NO_SERVER)
    assert result.code == 0
    assert re.findall(r"^● +(\w\d) ", result.out, re.M)[-1] == "r1"
    assert len(result.out.splitlines()) == 6
    assert "the database's revision isn't known: no database server answered" in result.err


def test_you_are_here(branched: Application, database: Database) -> None:
    branched.alembic("upgrade", "b1", url=database.url())
    result = branched.run("history", url=database.url())
    assert result.code == 0, result.err
    assert [line[:5] for line in result.out.splitlines() if line.startswith("●")] == [
        "●  b1",
        "●  r1",
    ]
    assert '●  b1  Toys "<new>"  <- you are here\n' in result.out
    assert len(re.findall(r"^○", result.out, re.M)) == 4
    data = branched.run("history", "--json", url=database.url()).json
    assert data["current"] == ["b1"]
    assert [one["revision"] for one in data["revisions"] if one["here"]] == ["b1"]
    assert {one["revision"] for one in data["revisions"] if one["applied"]} == {"b1", "r1"}
    merge = next(one for one in data["revisions"] if one["revision"] == "m1")
    assert set(merge["after"]) == {"a1", "b2"}


def test_you_are_in_two_places(branched: Application, database: Database) -> None:
    branched.alembic("upgrade", "a1", url=database.url())
    branched.alembic("upgrade", "b2", url=database.url())
    result = branched.run("history", "--graph", url=database.url())
    assert re.findall(r"(\w\d)  [^\n]*<- you are here", result.out) == ["a1", "b2"]


def test_by_the_structure_where_there_is_no_row(
    application: Application, database: Database
) -> None:
    application.linear()
    with_catalogue(application, database.server)
    application.alembic("upgrade", "r2", url=database.url())
    database.execute("drop table alembic_version")
    result = application.run("history", url=database.url())
    assert "r2  Revision r2  <- you are here, by the structure\n" in result.out


@pytest.mark.parametrize(
    ("rows", "said"),
    [((), "has no version row"), (("elsewhere",), "elsewhere, which the code doesn't have")],
)
def test_nowhere(
    application: Application, database: Database, rows: tuple[str, ...], said: str
) -> None:
    application.linear()
    for row in rows:
        database.execute("create table alembic_version (version_num varchar(32) primary key)")
        database.execute(f"insert into alembic_version values ('{row}')")
    result = application.run("history", url=database.url())
    assert result.code == 0
    assert said in " ".join(result.err.split())
    assert "you are here" not in result.out
    assert len(re.findall(r"^○", result.out, re.M)) == 3


def test_mermaid(branched: Application, database: Database) -> None:
    """Every node and edge once; a title can't end its own text."""
    branched.alembic("upgrade", "b1", url=database.url())
    lines = branched.run("history", "--mermaid", url=database.url()).out.splitlines()
    assert lines[0] == "flowchart TD"
    labels = dict(re.findall(r'^  (r\d)\["(\w\d)[^"]*"\]$', "\n".join(lines), re.M))
    assert sorted(labels.values()) == ["a1", "b1", "b2", "m1", "r1", "x1"]
    edges = re.findall(r"^  (r\d) (-->|-\.->) (r\d)$", "\n".join(lines), re.M)
    assert {(labels[one], arrow, labels[other]) for one, arrow, other in edges} == {
        ("r1", "-->", "a1"),
        ("r1", "-->", "b1"),
        ("b1", "-->", "b2"),
        ("a1", "-->", "m1"),
        ("b2", "-->", "m1"),
        ("b1", "-.->", "x1"),
    }
    assert any("b1<br/>Toys #quot;#lt;new#gt;#quot;<br/>you are here" in line for line in lines)
    here = next(line for line in lines if line.endswith(" here"))
    assert labels[here.split()[1]] == "b1"
    (pending,) = [line for line in lines if re.fullmatch(r"  class \S+ pending", line)]
    assert {labels[name] for name in pending.split()[1].split(",")} == {"a1", "b2", "m1", "x1"}


def test_where_only_alembic_can_read_the_files(
    application: Application, database: Database
) -> None:
    """The catalogue has the history; without one, the next step is to make it."""
    application.linear()
    application.revision("r4", "r3", head="revision = 'r' + '4'")
    result = application.run("history", "--json")
    assert (result.code, result.error) == (2, "catalogue-missing")
    assert "r4" in application.run("history", url=database.url()).out
    with_catalogue(application, database.server)
    assert "r4" in application.run("history").out


def test_lanes_that_cross(application: Application) -> None:
    """Three branches, one of them merged with both others: every line leads somewhere."""
    application.revision("r1", None)
    for name in ("a1", "b1", "c1"):
        application.revision(name, "r1")
    application.revision("m1", ("a1", "c1"))
    application.revision("m2", ("m1", "b1"))
    drawn = application.run("history", "--graph", env={"PYTHONIOENCODING": "ascii"}).out
    assert drawn.isascii()
    assert drawn == (
        "*      m2  Revision m2  (head)\n"
        "+-+\n"
        "* |    m1  Revision m1\n"
        "+-|-+\n"
        "* | |  a1  Revision a1\n"
        "| | *  c1  Revision c1\n"
        "| * |  b1  Revision b1\n"
        "+-+ |\n"
        "+---+\n"
        "*      r1  Revision r1\n"
    )
