"""Schemas of one history at random revisions: is each identified, and is none other touched?

A third has version rows and nothing else, a third was changed by its customer, a third has no
version row. Each schema is made by the statements of the revisions, with neither Alembic nor
surefoot. Then `surefoot plan --tenant` must name the revision at which it was left, and `surefoot
up --tenant` bring it to head, while the seals and the rows of all other schemas stay as they were.

    python -m tests.accuracy.tenants [--schemas 100] [--seed 1]
"""

import argparse
import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from surefoot.postgres.embedded import Server, embedded_bin
from tests.support.database import Database, fresh_database
from tests.support.project import Application
from tests.support.tenants import STATEMENTS, contents, rows, seals, with_history

REVISIONS = (*STATEMENTS,)
CUSTOM = (
    "alter table people add nickname text",
    "create table notes (id int primary key, person int references people)",
    "create index people_name on people (name)",
    "create view names as select name from people",
)


@dataclass
class Schema:
    """One tenant as it was made: the truth."""

    name: str
    revision: str
    kind: str


@dataclass
class Judged:
    """What came of all of them."""

    schemas: int = 0
    identified: int = 0
    wrong: list[str] = field(default_factory=list)
    at_head: int = 0
    behind: list[str] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.identified} of {self.schemas} identified, {len(self.wrong)} wrong; "
            f"{self.at_head} brought to head; {len(self.touched)} touched another schema; "
            f"{len(self.lost)} lost what a customer had made"
        )


def customers(database: Database, number: int, seed: int) -> list[Schema]:
    """The schemas, in a random order of kinds and revisions."""
    chance = random.Random(seed)
    found: list[Schema] = []
    for n in range(number):
        kind = ("versioned", "customised", "unversioned")[n % 3]
        one = Schema(f"customer_{n}", chance.choice(REVISIONS), kind)
        last = REVISIONS.index(one.revision)
        text = [f"create schema {one.name}", f"set search_path to {one.name}"]
        for id in REVISIONS[: last + 1]:
            text += STATEMENTS[id][0]
        text.append("insert into people (name) values ('somebody')")
        if kind != "unversioned":
            text += [
                "create table alembic_version (version_num varchar(32) not null"
                " constraint alembic_version_pkc primary key)",
                f"insert into alembic_version values ('{one.revision}')",
            ]
        if kind == "customised":
            text += chance.sample(CUSTOM, 2)
        database.execute(";".join(text))
        found.append(one)
    chance.shuffle(found)
    return found


def judge(application: Application, database: Database, schemas: list[Schema]) -> Judged:
    """Plan and upgrade each, and look at all the others meanwhile."""
    judged, url = Judged(len(schemas)), database.url()
    for one in schemas:
        before, data = seals(database), {s.name: contents(database, s.name) for s in schemas}
        plan = application.run("plan", "--tenant", one.name, "--json", url=url).json
        if said(plan) == one.revision:
            judged.identified += 1
        else:
            judged.wrong.append(f"{one}: {plan}")
        done = application.run("up", "--tenant", one.name, "--json", url=url)
        if done.code == 0 and rows(database, one.name) == [REVISIONS[-1]]:
            judged.at_head += 1
        else:
            codes = [finding["code"] for finding in done.json["findings"]]
            judged.behind.append(f"{one} ended with {done.code}: {', '.join(codes)}")
        after = seals(database)
        for other in schemas:
            if other is one:
                continue
            same = after[other.name] == before[other.name]
            if not same or contents(database, other.name) != data[other.name]:
                judged.touched.append(f"{one} touched {other}")
        if after["public"] != before["public"]:
            judged.touched.append(f"{one} touched public")
        own = {line for line in data[one.name] if not line.startswith("alembic_version ")}
        if not own <= set(contents(database, one.name)):
            judged.lost.append(str(one))
    return judged


def said(plan: dict[str, object]) -> str | None:
    """The revision at which a plan says that the structure is, if it is certain of one."""
    structure, steps, database = plan["structure"], plan["plan"], plan["database"]
    assert isinstance(structure, dict)
    assert isinstance(steps, list)
    assert isinstance(database, dict)
    if database["current"]:
        recorded = structure["recorded"] or {}
        verified = structure["verified"] or (recorded and not recorded["differences"])
        return database["current"][0] if verified else None
    adopted = [step["revisions"] for step in steps if step["step"] == "adopt"]
    return adopted[0][0] if len(adopted) == 1 and len(adopted[0]) == 1 else None


def configured(application: Application, schemas: list[Schema]) -> None:
    names = ", ".join(f'"{one.name}"' for one in schemas)
    application.config(f'[tenants]\nschemas = [{names}]\nsearch_path = "{{}}"\n')


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--schemas", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    bin_directory = embedded_bin()
    with tempfile.TemporaryDirectory() as root, Server(bin_directory) as server:
        application = with_history(Application(Path(root)))
        with fresh_database(server, bin_directory) as database:
            schemas = customers(database, options.schemas, options.seed)
            configured(application, schemas)
            built = application.run("catalog", "build", "--no-stepwise", "--server", server.url())
            assert built.code == 0, built.err
            judged = judge(application, database, schemas)
    print(judged)
    for line in (*judged.wrong, *judged.behind, *judged.touched, *judged.lost):
        print(line)
    good = judged.identified == judged.at_head == judged.schemas
    raise SystemExit(0 if good and not (judged.touched or judged.lost) else 1)


if __name__ == "__main__":
    main()
