"""The check in CI: the quick one, the hook, the action and the workflows, each carried out."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from surefoot.postgres.embedded import Server
from tests.support.catalogues import with_catalogue
from tests.support.database import Database
from tests.support.next_steps import next_of, run_next
from tests.support.project import Application, Result

ROOT = Path(__file__).parents[2]


@pytest.fixture
def catalogued(application: Application, server: Server) -> Application:
    """An application with init scripts, a module of its own, and a catalogue."""
    application.write("shop/__init__.py", "")
    application.write("shop/names.py", "TABLE = 'people'\n")
    application.revision("r1", None, "create table people (id int primary key)")
    application.revision(
        "r2",
        "r1",
        body="from shop.names import TABLE\nop.execute(f'create index on {TABLE} (id)')",
    )
    application.write("sql/00_init.sql", "create table people (id int primary key);\n")
    application.config('init = ["sql/00_init.sql"]\ninit_revision = "r1"\n')
    application.write("requirements.txt", "alembic\n")
    with_catalogue(application, server)
    return application


def quick(application: Application) -> Result:
    return application.run("catalog", "check", "--quick", "--json")


def test_the_quick_check_agrees(catalogued: Application) -> None:
    """No server is needed and none of the application's code is run."""
    catalogued.write("migrations/env.py", "raise RuntimeError('it was run')\n")
    result = catalogued.run("catalog", "check", "--quick", url="postgresql://127.0.0.1:9/none")
    assert result.code == 0, result.err
    assert "migrations/surefoot-catalog.txt was made from these files (2 revisions)" in " ".join(
        result.err.split()
    )


@pytest.mark.parametrize(
    ("path", "old", "new", "seen"),
    [
        ("migrations/versions/r1.py", "int primary", "bigint primary", "r1 was edited (r1.py)"),
        ("shop/names.py", "people", "persons", "what revision r2 imports was edited (shop.names)"),
        ("sql/00_init.sql", "int", "bigint", "the init script sql/00_init.sql was edited"),
        ("surefoot.toml", '"r1"', '"r2"', "the init scripts stand for r2, and stood for r1"),
        ("migrations/versions/r2.py", "'r1'", "None", "r2 has moved in the history"),
    ],
)
def test_the_quick_check_notices(
    catalogued: Application, path: str, old: str, new: str, seen: str
) -> None:
    file = catalogued.root / path
    catalogued.write(path, file.read_text().replace(old, new))
    result = quick(catalogued)
    assert result.code == 3
    assert result.json["findings"][0]["code"] == "catalogue-stale"
    assert any(seen in line for line in result.json["findings"][0]["seen"])


def test_a_comment_is_no_difference(catalogued: Application) -> None:
    """As for `up`, which compares the same syntax trees."""
    file = catalogued.root / "migrations" / "versions" / "r1.py"
    catalogued.write("migrations/versions/r1.py", "# a comment\n" + file.read_text())
    assert quick(catalogued).code == 0


def test_a_new_revision_and_a_second_head(catalogued: Application) -> None:
    catalogued.revision("r3", "r1", "create table pets (id int)")
    result = quick(catalogued)
    assert result.code == 3
    assert [one["code"] for one in result.json["findings"]] == ["catalogue-stale", "several-heads"]
    assert result.json["findings"][0]["seen"] == ["revision r3 is not in it"]


@pytest.mark.slow
@pytest.mark.provokes("history-needs-code")
@pytest.mark.follows("history-needs-code")
def test_a_history_that_only_alembic_can_read(
    catalogued: Application, database: Database, server: Server
) -> None:
    catalogued.revision("r2", "r1", head="revision = 'r' + '2'")
    with_catalogue(catalogued, server)
    result = quick(catalogued)
    assert (result.code, result.error) == (2, "history-needs-code")
    run_next(next_of(result), database, catalogued)


def test_quick_needs_no_server(catalogued: Application) -> None:
    result = catalogued.run("catalog", "check", "--quick", "--server", "x", "--json")
    assert (result.code, result.error) == (2, "command-line-invalid")


# --- files for CI


def parsed(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def carry_out(lines: list[str], cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The shell lines of a job, in one shell as GitLab and in several as GitHub would run them.

    What pip is to install is here already: it says so, and fetches nothing.
    """
    environ = {
        **os.environ,
        "PIP_NO_DEPS": "1",
        "PIP_DRY_RUN": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        **env,
    }
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", "\n".join(lines)],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def stale(application: Application) -> None:
    application.revision("r3", "r2", "create table pets (id int)")


def test_the_hook(catalogued: Application) -> None:
    (hook,) = parsed(ROOT / ".pre-commit-hooks.yaml")
    assert hook["language"] == "system"
    assert not hook["pass_filenames"]
    assert carry_out([hook["entry"]], catalogued.root, {}).returncode == 0
    stale(catalogued)
    done = carry_out([hook["entry"]], catalogued.root, {})
    assert done.returncode == 3
    assert "revision r3 is not in it" in done.stderr


def test_the_documents_hook_is_the_hook() -> None:
    text = (ROOT / "docs" / "guides" / "ci.md").read_text(encoding="utf-8")
    shown = [yaml.safe_load(one) for one in re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)]
    (local,) = next(one for one in shown if "repos" in one)["repos"][0]["hooks"]
    (hook,) = parsed(ROOT / ".pre-commit-hooks.yaml")
    assert local.items() <= hook.items()


def filled_in(text: str, inputs: dict[str, str]) -> str:
    return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: inputs[found[1]], text)


@pytest.mark.slow
@pytest.mark.parametrize("options", ["", "--quick"])
def test_the_action(catalogued: Application, options: str) -> None:
    action = parsed(ROOT / "action.yml")
    inputs = {name: one["default"] for name, one in action["inputs"].items()}
    inputs["options"] = options
    assert action["runs"]["using"] == "composite"

    def run() -> subprocess.CompletedProcess[str]:
        install, check = map(carried_out, action["runs"]["steps"])
        assert install.returncode == 0, install.stderr
        return check

    def carried_out(step: Any) -> subprocess.CompletedProcess[str]:
        assert step["shell"] == "bash"
        env = {name: filled_in(one, inputs) for name, one in step["env"].items()}
        where = catalogued.root / filled_in(step.get("working-directory", "."), inputs)
        return carry_out([step["run"]], where, env)

    done = run()
    assert done.returncode == 0, done.stderr
    stale(catalogued)
    assert run().returncode == 3


@pytest.mark.slow
def test_a_workflow_for_github(catalogued: Application) -> None:
    result = catalogued.run("init", "--ci", "github", "--json")
    assert result.code == 0, result.err
    assert result.json["file"] == ".github/workflows/surefoot.yml"
    written = parsed(catalogued.root / result.json["file"])
    job = written["jobs"]["catalog"]
    lines = [step["run"] for step in job["steps"] if "run" in step]
    where = catalogued.root / job["defaults"]["run"]["working-directory"]
    done = carry_out(lines, where, written["env"])
    assert done.returncode == 0, done.stderr
    stale(catalogued)
    assert carry_out(lines, where, written["env"]).returncode == 3
    again = catalogued.run("init", "--ci", "github", "--json")
    assert (again.code, again.error) == (2, "config-exists")
    assert "surefoot init --ci github --force" in next_of(again)
    assert catalogued.run("init", "--ci", "github", "--force").code == 0


@pytest.mark.slow
def test_a_workflow_for_gitlab_in_a_repository_above(
    catalogued: Application, tmp_path: Path
) -> None:
    """The application is a directory of the repository."""
    repository = tmp_path / "repository"
    (repository / ".git").mkdir(parents=True)
    shutil.copytree(catalogued.root, repository / "backend")
    backend = Application.__new__(Application)
    backend.root = repository / "backend"
    result = backend.run("init", "--ci", "gitlab")
    assert result.code == 0, result.err
    assert "wrote ../.gitlab/surefoot.yml" in result.err
    job = parsed(repository / ".gitlab" / "surefoot.yml")["surefoot-catalog"]
    assert job["variables"]["DIRECTORY"] == "backend"
    done = carry_out(job["script"], repository, job["variables"])
    assert done.returncode == 0, done.stderr
    stale(backend)
    assert carry_out(job["script"], repository, job["variables"]).returncode == 3


def test_what_is_installed_is_what_the_project_has(application: Application) -> None:
    application.write("pyproject.toml", "[project]\nname = 'shop'\n")
    assert application.run("init", "--ci", "github").code == 0
    written = parsed(application.root / ".github" / "workflows" / "surefoot.yml")
    assert written["env"]["INSTALL"] == "."


def test_init_says_what_comes_next(application: Application) -> None:
    application.linear()
    said = " ".join(application.run("init").err.split())
    for words in (
        "next: surefoot catalog build",
        "then: surefoot plan",
        "commit it",
        "in CI: surefoot catalog check",
        "surefoot init --ci github",
        'release = "v1.2"',
    ):
        assert words in said
