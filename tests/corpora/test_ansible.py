"""The example for Ansible, on twenty databases of which two fail: `SUREFOOT_CORPORA=all`."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support.fleet import Fleet, fleet
from tests.support.project import Application

sys.path.insert(0, str(Path(__file__).parent))
from environments import ROOT, environment

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(
        os.environ.get("SUREFOOT_CORPORA") != "all", reason="installs Ansible: see make matrix"
    ),
]
EXAMPLE = ROOT / "examples" / "ansible"
TWENTY = 20
FAILING, REFUSED = (7, 12), 15


@pytest.fixture
def twenty(application: Application, server: Server, pg_bin: Path) -> Iterator[Fleet]:
    application.linear()
    with fleet(application, server, pg_bin, TWENTY) as made:
        yield made


class Playbook:
    """The example's playbook, with a host for each database, all of them this machine."""

    def __init__(self, many: Fleet, directory: Path) -> None:
        self.directory = directory
        shutil.copytree(EXAMPLE, directory)
        hosts = {
            f"c{number:02}": {
                "ansible_connection": "local",
                "ansible_python_interpreter": sys.executable,
                "surefoot_directory": str(many.application.root),
                "surefoot_up": f"{sys.executable} -m surefoot up",
                "surefoot_environment": {"SUREFOOT_DATABASE_URL": one.url()},
            }
            for number, one in enumerate(many.databases)
        }
        inventory = {"customers": {"hosts": hosts}}
        (directory / "inventory.yml").write_text(json.dumps(inventory))
        made = environment("fleet", "ansible", sys.executable, ["ansible-core==2.19.14"], "binary")
        self.program = made / "bin" / "ansible-playbook"

    def run(self, *options: str) -> tuple[int, dict[str, dict[str, int]], str]:
        """Its exit code, the recap by host, and what it printed."""
        done = subprocess.run(
            [self.program, "-i", "inventory.yml", "fleet.yml", "--forks", "2", *options],
            cwd=self.directory,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
        )
        recap = {
            host: {key: int(n) for key, n in re.findall(r"(\w+)=(\d+)", counts)}
            for host, counts in re.findall(r"^(c\d\d) +: (.*)$", done.stdout, re.M)
        }
        return done.returncode, recap, done.stdout + done.stderr


def test_two_of_twenty_fail_and_are_tried_again(twenty: Fleet, tmp_path: Path) -> None:
    playbook = Playbook(twenty, tmp_path / "ansible")
    code, recap, said = playbook.run()
    assert code == 0, said
    assert len(recap) == TWENTY
    twenty.application.revision("r4", "r3", "alter table people add check (id > 0)")
    for number in FAILING:
        twenty.databases[number].execute("insert into people values (-1, 'nobody')")
    twenty.databases[REFUSED].execute("drop table alembic_version; drop schema surefoot cascade")
    code, recap, said = playbook.run()
    assert code != 0, said
    failed = {f"c{number:02}" for number in FAILING}
    assert {host for host, counts in recap.items() if counts["failed"]} == failed
    # every other one was migrated; the refusal is listed, and failed nothing
    at = [
        one.query("select version_num from alembic_version")
        for n, one in enumerate(twenty.databases)
        if n != REFUSED
    ]
    assert at.count([("r4",)]) == TWENTY - 3
    assert "surefoot refuses" in said
    # Ansible lists their batch: the others there have nothing to do
    batch = {f"c{number:02}" for number in range(5, TWENTY)}
    assert failed <= set((playbook.directory / "fleet.retry").read_text().split()) <= batch
    for number in FAILING:
        twenty.databases[number].execute("delete from people")
    code, recap, said = playbook.run("--limit", "@fleet.retry")
    assert code == 0, said
    assert failed <= set(recap) <= batch
    assert {host for host, counts in recap.items() if counts["changed"]} == failed
    for number in FAILING:
        rows = twenty.databases[number].query("select version_num from alembic_version")
        assert rows == [("r4",)]


def test_if_the_first_host_fails_no_other_is_begun(twenty: Fleet, tmp_path: Path) -> None:
    twenty.application.revision("r4", "r3", "select 1/0")
    code, recap, said = Playbook(twenty, tmp_path / "ansible").run()
    assert code != 0, said
    assert set(recap) == {"c00"}
    assert [one.tables() for one in twenty.databases[1:]] == [[]] * (TWENTY - 1)
