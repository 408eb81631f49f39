"""`surefoot fleet`: up, status, plan, manifest."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from surefoot.cli.console import (
    CommandContext,
    account_options,
    arguments_option,
    command_body,
    load_project,
)
from surefoot.errors import ExitCode, Finding
from surefoot.fleet.lead import OF_A_RUN
from surefoot.fleet.targets import Entry, Shard, unreadable

if TYPE_CHECKING:
    from surefoot.fleet.lead import Task
    from surefoot.fleet.result import Result, Totals
    from surefoot.fleet.workers import Workers
    from surefoot.model.target import Target
    from surefoot.project.config import Project
    from surefoot.report.fleet import FleetReport


@click.group("fleet")
def command() -> None:
    """Bring many databases to head, or report where they stand. One process handles all of them.

    \b
    A list has a line for each database: an address, or a JSON object such as
      {"name": "acme", "host": "db1", "dbname": "acme",
       "password_file": "/run/secrets/acme"}
    but on one line.
    """


def _shard(_: click.Context, __: click.Parameter, value: str) -> Shard:
    index, slash, of = value.partition("/")
    if not (slash and index.isdecimal() and of.isdecimal() and int(of)):
        raise click.BadParameter(f"{value!r} is not a shard such as 0/4, the first of four.")
    if int(index) >= int(of):
        last = f"{int(of) - 1}/{of}"
        raise click.BadParameter(f"there is no shard {value}: they are 0/{of} to {last}.")
    return Shard(int(index), int(of))


def _percent(text: str) -> float:
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise click.BadParameter(f"{text.strip()!r} is not a percentage such as 5%.")
    return value


def _stop_at(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    return None if value is None else _percent(value)


def _waves(_: click.Context, __: click.Parameter, value: str | None) -> tuple[float, ...]:
    found = tuple(_percent(text) for text in value.split(",")) if value else ()
    if found and (list(found) != sorted(set(found)) or found[-1] != 100):
        raise click.BadParameter(f"{value} must ascend and end with 100%, as in 5%,25%,100%.")
    return found


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for the list of databases and the limits, shared by the fleet commands."""
    for option in (
        click.option(
            "--per-server",
            type=click.IntRange(min=OF_A_RUN),
            metavar="M",
            help=f"Open at most M connections at a server; a run takes up to {OF_A_RUN}. "
            "Default: any number.",
        ),
        click.option(
            "--parallel",
            type=click.IntRange(min=1),
            default=max(2, os.cpu_count() or 2),
            metavar="K",
            help="Work on K databases at once. Default: as many as there are cores, at least 2.",
        ),
        click.option(
            "--scheduler",
            metavar="tcp://HOST:PORT",
            help="Run surefoot on the workers of this Dask cluster, which are in the new image. "
            "Needs surefoot[dask]. Default: on this machine.",
        ),
        click.option(
            "--shard",
            callback=_shard,
            default="0/1",
            metavar="I/N",
            help="Take the part I of N of the list, from 0/N on. Default: all of it.",
        ),
        click.option(
            "--targets",
            required=True,
            metavar="FILE|sql:QUERY|command:COMMAND|tenants:",
            help="The list of the databases: a file, a query on the database that the usual "
            "variables name, a command that prints what the file would hold, or the tenants of "
            "that database, as [tenants] in the configuration lists them.",
        ),
        click.option(
            "--database-url",
            metavar="URL",
            help="The database that sql:QUERY asks. Default: SUREFOOT_DATABASE_URL, DATABASE_URL, "
            "POSTGRES_HOST …, PGHOST ….",
        ),
        click.option(
            "--config",
            "config_file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="The configuration, for every database. Default: the one in this directory.",
        ),
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            default=True,
            help="One JSON object a line on standard output: always so.",
        ),
        arguments_option,
        account_options,
    ):
        function = option(function)
    return function


@command.command("up")
@_options
@click.option(
    "--canary",
    type=click.IntRange(min=1),
    metavar="N",
    help="Migrate N databases first, and continue only if that succeeded.",
)
@click.option(
    "--waves",
    callback=_waves,
    metavar="P%,…,100%",
    help="Then continue in waves: these percentages of the databases that have something to do.",
)
@click.option(
    "--stop-at",
    callback=_stop_at,
    metavar="P%",
    help="Begin no further databases once more than P percent of a wave have failed. Default: 0% "
    "with "
    "--canary or --waves, else never.",
)
@command_body("fleet up")
def up_command(context: CommandContext, **given: Any) -> ExitCode:
    """Bring every database of a list to the code's head.

    A refused database doesn't stop the others. After an interruption, the same command continues.

    \b
      surefoot fleet up --targets databases.txt
      surefoot fleet up --targets databases.txt --canary 1 --waves 5%,25%,100%
    """
    return _lead(context, "up", **given)


@command.command("status")
@_options
@command_body("fleet status")
def status_command(context: CommandContext, **given: Any) -> ExitCode:
    """Report where every database of a list stands. Reads only.

    Exit code 0 if all are at head, 3 if something is pending, 4 if `up` would refuse one.
    """
    return _lead(context, "status", **given)


@command.command("plan")
@_options
@command_body("fleet plan")
def plan_command(context: CommandContext, **given: Any) -> ExitCode:
    """Show what `fleet up` would do with every database of a list. Reads only."""
    return _lead(context, "plan", **given)


@command.command("manifest")
@click.option("--image", required=True, metavar="IMAGE", help="The application's new image.")
@click.option(
    "--shards",
    type=click.IntRange(min=1),
    required=True,
    metavar="N",
    help="Cut the list into N shards, each a pod.",
)
@click.option(
    "--pods",
    type=click.IntRange(min=1),
    default=1,
    metavar="P",
    help="Run P pods at once. Each has the limits of --parallel and --per-server for itself. "
    "Default: 1.",
)
@click.option("--name", default="surefoot-fleet", metavar="NAME", help="The Job's name.")
@click.option(
    "--secret",
    metavar="NAME",
    help="A Secret whose keys are environment variables of the pods: passwords, say.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on standard output, with the YAML."
)
@click.argument("options", nargs=-1, metavar="-- OPTIONS …", type=click.UNPROCESSED)
@command_body("fleet manifest")
def manifest_command(
    context: CommandContext,
    *,
    image: str,
    shards: int,
    pods: int,
    name: str,
    secret: str | None,
    options: tuple[str, ...],
) -> ExitCode:
    """Print a Kubernetes Indexed Job that runs `fleet up`, a pod for each shard.

    OPTIONS are those of `fleet up`, except for --shard.

    \b
      surefoot fleet manifest --image shop:2.4 --shards 50 --pods 10 \\
        -- --targets databases.txt --per-server 10 | kubectl apply -f -
    """
    from surefoot.fleet.manifest import Job, manifest

    if any(word.split("=")[0] == "--shard" for word in options):
        raise click.UsageError("Each pod gets its own --shard: leave it out.")
    up_command.make_context("up", [*options], parent=click.get_current_context().parent)
    text = manifest(Job(image, shards, pods, options, name, secret))
    if context.as_json:
        context.emit_json(ExitCode.DONE, text=text)
    else:
        context.write(text)
    return ExitCode.DONE


def _lead(
    context: CommandContext,
    verb: str,
    *,
    config_file: Path | None,
    database_url: str | None,
    targets: str,
    shard: Shard,
    parallel: int,
    per_server: int | None,
    scheduler: str | None = None,
    canary: int | None = None,
    waves: tuple[float, ...] = (),
    stop_at: float | None = None,
) -> ExitCode:
    from concurrent.futures import ThreadPoolExecutor
    from contextlib import ExitStack

    from surefoot.fleet.children import NOT_OF_A_RUN, Children
    from surefoot.fleet.lead import Fleet
    from surefoot.fleet.rollout import Rollout, gates
    from surefoot.fleet.servers import Servers
    from surefoot.fleet.targets import read
    from surefoot.report import json
    from surefoot.report.fleet import FleetReport

    project = load_project(config_file)
    listing = read(
        targets,
        lambda query: _ask(project, database_url, query),
        shard,
        lambda: _tenants(project, database_url),
    )
    task, account = _task(verb, project, config_file), context.account
    report = FleetReport(context.terminal, account.progress_every, quiet=account.quiet)
    if canary or waves:
        stop_at = stop_at or 0.0

    def as_json(finding: Finding) -> Any:
        return json.builtins(json.finding(finding))

    def tell(doing: str, total: int, results: "Iterable[Result]") -> None:
        report.begin(doing, total)
        for result in results:
            report.result(result)
            context.emit_json(
                result.exit_code, target=result.name, result=result.kind, **result.parts
            )
        report.end()

    with ExitStack() as stack:
        stack.callback(report.close)
        runs: Workers | Children
        if scheduler is None:
            without = {*listing.secrets, *NOT_OF_A_RUN}
            runs = Children({k: v for k, v in os.environ.items() if k not in without})
        else:
            runs = _workers(scheduler, project, config_file, listing.secrets)
        stack.callback(runs.close)
        executor = stack.enter_context(ThreadPoolExecutor(parallel, "surefoot-fleet"))
        fleet, servers = Fleet(task, listing, runs, as_json), Servers(per_server)
        looked = fleet.looked(executor, parallel, servers)
        tell("checked", len(listing.entries), looked)
        rollout = Rollout(gates(len(fleet.left), canary, waves), parallel, stop_at)
        tell("processed", rollout.total, fleet.carried_out(executor, rollout, servers))
    return _ended(context, report, fleet.totals)


def _workers(
    scheduler: str, project: "Project", config_file: Path | None, secrets: frozenset[str]
) -> "Workers":
    from surefoot.fleet.dask import executor_of
    from surefoot.fleet.workers import Workers

    return Workers(executor_of(scheduler), project, config_file, secrets)


def _task(verb: str, project: "Project", config_file: Path | None) -> "Task":
    from surefoot.fleet.lead import Task
    from surefoot.quick import Place

    arguments = [word for given in project.given for word in ("-x", given)]
    if config_file is not None:
        arguments += ["--config", str(config_file)]
    if verb == "up":
        arguments += ["--progress-every", "0s"]  # nobody reads its progress while it runs
    name = project.file.name if project.file else None
    place = Place(str(project.root), name, project.given, project.variables)
    config = project.config
    table, schema = config.version_table or "alembic_version", config.version_table_schema
    return Task(verb, tuple(arguments), place, table, schema)


def _ask(project: "Project", database_url: str | None, query: str) -> Iterable[Mapping[str, Any]]:
    """Run the query that lists the databases."""
    from surefoot.fleet.registry import ask
    from surefoot.project.config import seconds

    target = _located(project, database_url, "sql:", "The list is a query")
    return ask(query, target, wait=seconds(project.config.wait))


def _tenants(project: "Project", database_url: str | None) -> list[Entry]:
    """The tenants of the database that the usual variables name."""
    from surefoot.fleet.targets import address
    from surefoot.look.tenants import listed
    from surefoot.postgres.connect import connect
    from surefoot.project.config import seconds

    source = "tenants:"
    target = _located(project, database_url, source, "The list is the tenants of a database")
    if project.config.tenants is None:
        file = project.file.name if project.file else "surefoot.toml"
        message = "The configuration knows no tenants."
        raise unreadable(message, source, f"there is no table [tenants] in {file}")
    with connect(target, wait=seconds(project.config.wait), say=lambda _: None) as connection:
        names = listed(project, connection)
        target = target._replace(parameters={**target.parameters, "dbname": connection.info.dbname})
    return [Entry(name=name, url=address(target), tenant=name) for name in names]


def _located(project: "Project", database_url: str | None, source: str, what: str) -> "Target":
    from surefoot.project.locate import locate
    from surefoot.report.terminal import keep_secret

    target = locate(database_url, os.environ, None, project.config.url_variables)
    if target is None:
        message = f"{what}, and no database is named that answers it."
        raise unreadable(
            message, source, "no --database-url, SUREFOOT_DATABASE_URL or DATABASE_URL"
        )
    keep_secret(target)
    return target


def _ended(context: CommandContext, report: "FleetReport", totals: "Totals") -> ExitCode:
    from surefoot.report import json
    from surefoot.system import signals

    if signals.requested():
        signals.answered()
        totals.findings = (_interrupted(totals),)
    code = totals.exit_code
    context.emit_json(
        code,
        targets=totals.counts.total(),
        counts=[{"result": kind, "databases": n} for kind, n in totals.counts.items()],
        findings=[json.finding(finding) for finding in totals.findings],
    )
    report.outcome(totals)
    return code


def _interrupted(totals: "Totals") -> Finding:
    return Finding(
        "interrupted",
        "A signal ended the run.",
        (f"{totals.counts['not-begun']} databases were not begun",),
        "Each database records what was done: nothing is done twice.",
        "run the same command again: it continues",
    )
