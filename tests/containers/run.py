"""The example's image, from its own Dockerfile, in real containers: `make containers`.

    python -m tests.containers.run [WORD …]

Only the checks whose names contain one of the words, if any are given. Needs root and Debian's
packages `PROGRAMS`; no daemon, and no image of anybody's. Exit code 1 where a check fails, 2 where
a program is missing.
"""

import difflib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import kubernetes_validate
import psycopg
import pytest
import yaml

from surefoot.fleet.targets import Shard
from surefoot.postgres.embedded import Server, embedded_bin
from surefoot.postgres.turn import CLASS, LOCK
from tests.containers.compose import Compose, server_image
from tests.containers.engine import BASE, PROGRAMS, Container, Ended, Engine, missing
from tests.containers.helm import helm, linted, rendered
from tests.containers.pods import IndexedJob
from tests.support import catalogues
from tests.support.database import Database, fresh_database
from tests.support.example import (
    BACKFILL,
    BASELINE,
    EXAMPLE,
    HEAD,
    MERGE,
    ORIGIN,
    ROWS,
    TABLES,
    VIEW,
    Example,
)
from tests.support.next_steps import printed_steps

ROOT = Path(__file__).parents[2]
INSTALL = f"apt-get install {' '.join(PROGRAMS)}"
CACHE = ROOT / ".cache" / "containers"
IMAGE, OLDER, OLDEST = (
    "localhost/example:v1.0.30",
    "localhost/example:v1.0.28",
    "localhost/example:v1.0.24",
)
CLIENTS, BARE = "localhost/example:clients", "localhost/example:bare"

STARTED = "name        Assistant"  # what the application prints
_MOST_STARTS = 4


class World:
    """One database, and the containers that use it."""

    def __init__(self, engine: Engine, database: Database, files: Path) -> None:
        self.engine, self.database = engine, database
        self.example = Example(files, database)

    @property
    def env(self) -> dict[str, str]:
        """What a compose file gives the container."""
        return {
            name: value
            for name, value in self.example.variables().items()
            if name.startswith("POSTGRES_")
        }

    def run(self, *command: str, image: str = IMAGE, **more: object) -> Ended:
        options = more.pop("options", ())
        return self.engine.run(image, *command, env={**self.env, **more}, options=options)  # type: ignore[arg-type]

    def start(self, *command: str, image: str = IMAGE, **more: str) -> Container:
        return self.engine.start(image, *command, env={**self.env, **more})

    def rows(self) -> list[str]:
        return [row for (row,) in self.database.query("select version_num from alembic_version")]

    def v106(self) -> None:
        """A database of v1.0.6 with a user's rows, that nobody ever stamped."""
        self.example.load_init_script(embedded_bin())
        self.database.execute(ROWS)

    def at(self, revision: str) -> None:
        """The same, brought to a revision by Alembic itself."""
        self.v106()
        self.example.plain_alembic("stamp", BASELINE)
        self.example.plain_alembic("upgrade", revision)


# --- What surefoot is in a container


def fresh_install_as_process_1(world: World) -> None:
    """The Dockerfile's own command: surefoot is process 1, and then the application is."""
    ended = world.run()
    assert ended.code == 0, ended.output
    assert STARTED in ended.output
    shown = "import os; print('process', os.getpid(), 'user', os.getuid())"
    ended = world.run("surefoot", "up", "--", "python", "-c", shown)
    found = re.search(r"process (\d+) user (\d+)", ended.output)
    assert found is not None, ended.output
    assert found[1] == "1"
    assert found[2] != "0"


def read_only_root(world: World) -> None:
    """Nothing can be written but in memory, not even below /tmp."""
    ended = world.run(options=("--read-only", "--read-only-tmpfs=false"))
    assert ended.code == 0, ended.output
    assert world.rows() == [HEAD]


def no_tmp(world: World) -> None:
    """An image without /tmp."""
    ended = world.run(image=BARE, options=("--read-only", "--read-only-tmpfs=false"))
    assert ended.code == 0, ended.output
    assert STARTED in ended.output


def approved_by_the_environment(world: World) -> None:
    """A refusal prints a word; with it in the environment the next start goes on to the end. Left
    there, it does nothing, and says so.
    """
    world.at(ORIGIN)
    world.database.execute(f"update alembic_version set version_num = '{BASELINE}'")
    refused = world.run()
    assert refused.code == 4, refused.output
    (word,) = _words(refused)
    approved = world.run(SUREFOOT_APPROVE=word)
    assert approved.code == 0, approved.output
    assert STARTED in approved.output
    again = world.run(SUREFOOT_APPROVE=word)
    assert again.code == 0, again.output
    assert "SUREFOOT_APPROVE" in again.output


def stopped_in_the_middle(world: World) -> None:
    """SIGTERM while a revision waits: rolled back, said so, and the next start does it all."""
    world.at(MERGE)
    before = world.database.dump()
    with psycopg.connect(world.database.conninfo) as somebody:
        somebody.execute("create table public.personality_traits ()")
        running = world.start(SUREFOOT_LOCK_TIMEOUT="60s")
        _until_waiting(world, running)
        running.stop()
        ended = running.end()
        somebody.rollback()
    assert ended.code == 5, ended.output
    assert "Rolled back, verified" in ended.words, ended.output
    after = world.database.dump("--exclude-schema=surefoot")
    assert after == before, "".join(
        difflib.unified_diff(before.splitlines(True), after.splitlines(True))
    )
    ended = world.run()
    assert ended.code == 0, ended.output


def two_replicas(world: World) -> None:
    """Both start at an empty database; one migrates, the other waits, and both start."""
    both = [world.start(), world.start()]
    ends = [one.end() for one in both]
    assert [one.code for one in ends] == [0, 0], [one.output for one in ends]
    assert all(STARTED in one.output for one in ends)
    ran = world.database.query("select name from surefoot.journal where step = 'revision'")
    assert len(ran) == len(set(ran))


def older_image_that_can_run(world: World) -> None:
    """The image was rolled back, and the older one can use the newer database."""
    world.v106()
    assert world.run(image=OLDER).code == 0
    before = world.database.dump()
    ended = world.run(image=OLDEST)
    assert ended.code == 0, ended.output
    assert STARTED in ended.output
    assert world.database.dump() == before


def backup_before_the_upgrade(world: World) -> None:
    """With PostgreSQL's clients in the image and a volume for the backups; the way back works."""
    world.at(MERGE)
    with tempfile.TemporaryDirectory() as volume:
        Path(volume).chmod(0o777)  # the image's user is none of this machine's
        owner = world.run("id", "-u", image=CLIENTS).output.strip()
        shutil.chown(volume, int(owner))
        Path(volume).chmod(0o700)
        mounted = (f"--volume={volume}:/backups",)
        given = {"SUREFOOT_BACKUP": "before-upgrade", "SUREFOOT_BACKUP_DIRECTORY": "/backups"}
        ended = world.run(image=CLIENTS, options=mounted, **given)
        assert ended.code == 0, ended.output
        (dump,) = Path(volume).glob("*.dump")
        restored = world.run(
            *("surefoot", "restore", dump.name, "--yes"), image=CLIENTS, options=mounted, **given
        )
        assert restored.code == 0, restored.output
    assert world.rows() == [MERGE], ended.output


def no_clients_in_the_image(world: World) -> None:
    """The upgrade isn't begun without the backup, and what is missing is named."""
    world.at(MERGE)
    given = {"SUREFOOT_BACKUP": "before-upgrade", "SUREFOOT_BACKUP_DIRECTORY": "/backups"}
    ended = world.run(options=("--tmpfs=/backups:mode=1777",), **given)
    assert ended.code not in (0, 1), ended.output
    assert "pg_dump" in ended.output, ended.output
    assert world.rows() == [MERGE], ended.output


def helm_chart(world: World) -> None:
    """It lints, and renders valid objects for each way to migrate; another word is refused."""
    program, chart = helm(CACHE), ROOT / "examples" / "kubernetes" / "chart"
    linted(program, chart)
    for how, kinds in {
        "job": ["Deployment", "Job"],
        "init": ["Deployment"],
        "serve": ["Deployment"],
    }.items():
        text = rendered(program, chart, f"--set=migration.how={how}")
        documents = [one for one in yaml.safe_load_all(text) if one]
        assert sorted(one["kind"] for one in documents) == kinds, text
        for document in documents:
            kubernetes_validate.validate(document, "1.33", strict=True)
    with pytest.raises(RuntimeError, match="must be job, init or serve"):
        rendered(program, chart, "--set=migration.how=nothing")


def fleet_as_an_indexed_job(world: World) -> None:
    """The pods of `surefoot fleet manifest`, against a real server: a shard whose databases are
    migrated, one with a database that is refused, and one with a database that another surefoot is
    migrating, which is tried again. What the exit codes mean to the Job is the manifest's own.
    """
    server, shards = world.database.server, 3
    with ExitStack() as stack:
        names: list[str] = []
        for shard in range(shards):
            found = (f"customer{n}" for n in range(1000))
            names += [one for one in found if Shard(shard, shards).takes(one)][:2]
        of = {name: stack.enter_context(fresh_database(server, embedded_bin())) for name in names}
        _, refused, _, busy = names[1:5]
        of[refused].execute("create table alembic_version (version_num varchar(32) not null)")
        of[refused].execute("insert into alembic_version values ('deadbeef')")
        listed = ", ".join(f"('{name}', '{one.name}')" for name, one in of.items())
        world.database.execute(
            "create table public.customers (name text, dbname text);"
            f" insert into customers values {listed}"
        )
        parameters = server.parameters(world.database.name)
        query = (
            f"sql:select name, dbname, '{parameters['host']}' as host, '{parameters['port']}' as"
            f" port, '{parameters['user']}' as \"user\", 'DATABASE_PASSWORD' as password_variable"
            " from public.customers"
        )
        written = world.example.run(
            *("fleet", "manifest", "--image", IMAGE, "--shards", str(shards), "--pods", "2"),
            *("--secret", "databases", "--", "--targets", query, "--per-server", "5"),
        )
        assert written.code == 0, written.err
        document = yaml.safe_load(written.out)
        kubernetes_validate.validate(document, "1.33", strict=True)
        secret = {
            "SUREFOOT_DATABASE_URL": server.url(world.database.name),
            "DATABASE_PASSWORD": parameters["password"],
            "SUREFOOT_LOCK_WAIT": "2s",
        }
        job = IndexedJob(document, {"databases": secret})
        with psycopg.connect(of[busy].conninfo) as other:
            other.execute("select pg_advisory_xact_lock(%s::int, %s::int)", (CLASS, LOCK))
            pods = [job.start(world.engine, index) for index in job.indexes]
            ends = [pod.end(900) for pod in pods]
        codes = [one.code for one in ends]
        assert codes == [0, 4, 7], [one.output for one in ends]
        assert [job.after(code) for code in codes] == ["succeeded", "FailIndex", "retried"]
        assert parameters["password"] not in "".join(one.output for one in ends)
        again = job.start(world.engine, 2).end(900)
        assert again.code == 0, again.output
        assert '"migrated","databases":1' in again.output, again.output
        for name, one in of.items():
            rows = [row for (row,) in one.query("select version_num from alembic_version")]
            assert rows == (["deadbeef"] if name == refused else [HEAD]), name
            if name != refused:
                ran = one.query("select name from surefoot.journal where step = 'revision'")
                assert len(ran) == len({*ran}) > 0, name


def compose_end_to_end(world: World) -> None:
    """`compose up`, as the example's README says. Then a row that the structure contradicts: both
    services refuse (podman-compose starts the second one nevertheless), and each way that the log
    prints leads to the application.
    """
    made = world.example.root.parent / "compose"
    project = made / "whisperengine"
    shutil.copytree(EXAMPLE, project)
    (project / ".env").write_text(
        (project / ".env.example").read_text("utf-8").replace("PASSWORD=", "PASSWORD=s3cret-"),
        encoding="utf-8",
    )
    _wheel(project / "wheels")
    server_image(world.engine, CLIENTS, made)
    compose = Compose(world.engine, CACHE, project)
    compose.build()
    try:
        with compose.up() as logs:
            logs.until("bot", STARTED)
            logs.until("db-migrate", HEAD)
            compose.psql(f"update alembic_version set version_num = '{BASELINE}'")
        word, (command,), container = _refused_by_both(compose)
        override = project / "docker-compose.override.yml"
        given = {"environment": {"SUREFOOT_APPROVE": word}}
        override.write_text(yaml.safe_dump({"services": {"db-migrate": given, "bot": given}}))
        with compose.up() as logs:
            logs.until("bot", STARTED)
            both = logs.of("bot") + logs.of("db-migrate")
            assert "recorded" in both, both
            assert "SUREFOOT_APPROVE" in both, both
            compose.psql(f"update alembic_version set version_num = '{BASELINE}'")
            override.unlink()
            # the command, as the line `container` says, for the service that has no migration only
            said = re.search(r"podman compose (run --rm --no-deps) SERVICE", container)
            assert said is not None, container
            ran = compose.call(*said[1].split(), "-T", "bot", *command.split(), "--yes")
            assert STARTED not in ran, ran
            assert compose.psql("select version_num from alembic_version") == HEAD
        with compose.up() as logs:
            logs.until("bot", STARTED)
    finally:
        compose.call("down", "--volumes")


def _refused_by_both(compose: Compose) -> tuple[str, tuple[str, ...], str]:
    """Return the word, the commands, and the line that says how to run them, as printed."""
    with compose.up() as logs:
        logs.until("db-migrate", "surefoot explain structure-contradicts-revision")
        text = logs.until("bot", "surefoot explain structure-contradicts-revision")
        assert STARTED not in text, text
    (word,) = re.findall(r"^ +SUREFOOT_APPROVE=(\S+)$", text, re.MULTILINE)
    return word, printed_steps(text).commands, " ".join(text.partition("container ")[2].split())


# --- The ten scenarios: from the refusal to the application, by what is printed


def walked(world: World, refused: Ended, image: str = IMAGE) -> Ended:
    """Does what the log says to the letter, with a container's environment and an SQL prompt, until
    the application has started.
    """
    ended = refused
    for _ in range(_MOST_STARTS):
        if ended.code == 0:
            break
        steps, words = printed_steps(ended.output), _words(ended)
        if steps.sql:  # rather than to accept what is missing
            for statement in steps.sql:
                world.database.execute(statement)
            ended = world.run(image=image)
        elif words:
            ended = world.run(image=image, SUREFOOT_APPROVE=words[0])
        else:
            for command in steps.commands:
                done = world.run(*command.split(), "--yes", image=image)
                assert done.code == 0, done.output
            ended = world.run(image=image)
    assert ended.code == 0, ended.output
    assert STARTED in ended.output, ended.output
    return ended


def scenario_1_a_script_fails_half_way(world: World) -> None:
    """The message names file and line; with the script corrected, the next start installs."""
    script = EXAMPLE / "sql" / "00_init.sql"
    broken = world.example.root / "broken.sql"
    text = script.read_text("utf-8")
    broken.write_text(text.replace("UNIQUE (normalized_name)", "UNIQUE (normalised_name)"))
    ended = world.run(options=(f"--volume={broken}:/app/sql/00_init.sql",))
    assert ended.code == 5, ended.output
    assert re.search(r"00_init\.sql:\d+", ended.output), ended.output
    assert world.database.tables() == []
    assert world.run().code == 0


def scenario_2_an_init_script_of_another_release(world: World) -> None:
    """Newer than the code: the newer image, as it says. Older than the code: the same start."""
    made = world.example.run("dump", "--server", world.database.server.url(), timeout=300)
    assert made.code == 0, made.err
    script = world.example.root / "newer.sql"
    script.write_text(made.out, "utf-8")
    ended = world.run(image=OLDER, options=(f"--volume={script}:/app/sql/00_init.sql",))
    assert ended.code == 4, ended.output
    assert "newer" in ended.words
    assert world.database.tables() == []
    assert world.run(image=IMAGE).code == 0


def scenario_3_an_unknown_version_row(world: World) -> None:
    world.at(ORIGIN)
    world.database.execute("update alembic_version set version_num = 'deadbeef'")
    walked(world, world.run())


def scenario_4_a_table_in_the_way(world: World) -> None:
    world.at(MERGE)
    world.database.execute("create table personality_traits (id int, trait text, value int)")
    walked(world, world.run())


def scenario_5_killed_in_a_migration(world: World) -> None:
    """SIGKILL; the restart goes on by itself."""
    world.at(MERGE)
    with psycopg.connect(world.database.conninfo) as somebody:
        somebody.execute("create table public.personality_traits ()")
        running = world.start(SUREFOOT_LOCK_TIMEOUT="60s")
        _until_waiting(world, running)
        running.stop(0)
        running.end()
        somebody.rollback()
    walked(world, world.run())


def scenario_6_the_image_was_rolled_back(world: World) -> None:
    """The older image can't run on it: refused; the newer image starts, as it says."""
    world.v106()
    assert world.run().code == 0
    ended = world.run(image=OLDER)
    assert ended.code == 4, ended.output
    assert "newer image" in ended.words, ended.output
    assert world.run().code == 0


def scenario_7_the_users_own_changes(world: World) -> None:
    world.v106()
    world.database.execute(
        "alter table users add column nickname text;"
        "create view paces as select settings from character_conversation_modes"
    )
    walked(world, world.run())
    assert world.database.query("select count(nickname) from users") == [(0,)]


def scenario_8_columns_that_look_like_ours(world: World) -> None:
    world.v106()
    world.database.execute("alter table characters add column emoji_custom text")
    walked(world, world.run())


def scenario_9_rows_with_other_ids(world: World) -> None:
    world.v106()
    world.database.execute("update characters set id = 17 where normalized_name = 'assistant'")
    walked(world, world.run())


def scenario_10_duplicates(world: World) -> None:
    """The constraint that prevents a second assistant is gone, and there is one. The refusal prints
    the statement that puts it back; which of the two rows stays, only a person can choose.
    """
    world.at(TABLES)
    world.database.execute(
        "alter table characters drop constraint characters_normalized_name_key;"
        "insert into characters (name, normalized_name) values ('Two', 'assistant')"
    )
    ended = world.run()
    assert ended.code == 4, ended.output
    world.database.execute("delete from characters where name = 'Two'")
    walked(world, ended)


CHECKS: tuple[Callable[[World], None], ...] = (
    fresh_install_as_process_1,
    read_only_root,
    no_tmp,
    approved_by_the_environment,
    stopped_in_the_middle,
    two_replicas,
    older_image_that_can_run,
    backup_before_the_upgrade,
    no_clients_in_the_image,
    helm_chart,
    fleet_as_an_indexed_job,
    compose_end_to_end,
    scenario_1_a_script_fails_half_way,
    scenario_2_an_init_script_of_another_release,
    scenario_3_an_unknown_version_row,
    scenario_4_a_table_in_the_way,
    scenario_5_killed_in_a_migration,
    scenario_6_the_image_was_rolled_back,
    scenario_7_the_users_own_changes,
    scenario_8_columns_that_look_like_ours,
    scenario_9_rows_with_other_ids,
    scenario_10_duplicates,
)


def _words(ended: Ended) -> list[str]:
    return re.findall(r"^ +SUREFOOT_APPROVE=(\S+)$", ended.output, re.MULTILINE)


def _until_waiting(world: World, running: Container) -> None:
    """Until the container's session waits for a lock."""
    question = (
        "select count(*) from pg_stat_activity"
        f" where datname = '{world.database.name}' and wait_event_type = 'Lock'"
    )
    end = time.monotonic() + 60
    while world.database.query(question) == [(0,)]:
        assert time.monotonic() < end, running.output
        time.sleep(0.05)


# --- The images


def _wheel(directory: Path) -> None:
    """surefoot's own, which isn't published yet."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", directory, ROOT],
        check=True,
        capture_output=True,
    )


def images(engine: Engine, server: Server, made: Path) -> None:
    """The example's, of three releases, and two that are made of the newest."""
    engine.make_base()
    wheels = made / "wheels"
    _wheel(wheels)
    releases = {
        IMAGE: (),
        OLDER: (BACKFILL, ORIGIN, VIEW, HEAD),
        OLDEST: (TABLES, BACKFILL, ORIGIN, VIEW, HEAD),
    }
    for image, later in releases.items():
        context = made / image.rpartition(":")[2]
        example = Example(context, Database(server, "postgres", embedded_bin()))
        for revision in later:
            (file,) = (context / "alembic" / "versions").glob(f"{revision}_*.py")
            file.unlink()
        if later:
            catalogues.with_catalogue(example, server)
        shutil.copytree(wheels, context / "wheels")
        engine.build(image, context)
    # the embedded server's programs are clients of every version, and need no package of Debian's
    engine.build(
        CLIENTS,
        made,
        f"FROM {IMAGE}\nUSER root\nRUN pip install --no-cache-dir --find-links /tmp/build "
        "'surefoot[embedded]'\nUSER whisperengine\n",
    )
    engine.build(BARE, made, f"FROM {IMAGE}\nUSER root\nRUN rm -rf /tmp\nUSER whisperengine\n")


def main(words: list[str]) -> int:
    lacking = missing()
    if lacking:
        print(f"make containers needs {', '.join(lacking)}; as root: {INSTALL}")
        return 2
    chosen = [one for one in CHECKS if not words or any(word in one.__name__ for word in words)]
    failed = 0
    with ExitStack() as stack:
        made = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(Server(embedded_bin()))
        catalogues.keep_in(made / "catalogues")
        engine = Engine(CACHE)
        begin = time.monotonic()
        images(engine, server, made)
        print(f"images     {time.monotonic() - begin:6.1f} s  {BASE} and {IMAGE}", flush=True)
        for number, check in enumerate(chosen):
            begin = time.monotonic()
            with fresh_database(server, embedded_bin()) as database:
                world = World(engine, database, made / f"world{number}")
                try:
                    check(world)
                except (AssertionError, RuntimeError, ValueError, psycopg.Error) as error:
                    failed += 1
                    said = f"FAILED: {type(error).__name__}: {error}"
                else:
                    said = "seen"
            name = check.__name__.replace("_", " ")
            print(f"{name:48} {time.monotonic() - begin:6.1f} s  {said}", flush=True)
    print(f"{len(chosen) - failed} of {len(chosen)} seen")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
