"""The frame of every command: shared options, error reports, exit codes."""

import contextlib
import functools
import os
import re
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TextIO

import click
import msgspec

from surefoot.errors import NOT_REACHED, ExitCode, SurefootError
from surefoot.errors.steps import carry, to_type
from surefoot.model.target import Target
from surefoot.project.config import Project, is_duration, load, nearest, seconds
from surefoot.project.locate import ADDRESS_NAMES, PARTS, locate
from surefoot.report.place import run_commands_as
from surefoot.report.terminal import Terminal, data_stream, keep_secret, wrapped
from surefoot.serve import listening
from surefoot.system import signals, supervisor
from surefoot.system.successor import become

if TYPE_CHECKING:
    from surefoot.model import answers
    from surefoot.postgres.embedded import Server
    from surefoot.report.log import LogTerminal
    from surefoot.report.text import TextReport
    from surefoot.workflows.workspace import Workspace

P = ParamSpec("P")


def _or_inherited(ctx: click.Context, option: click.Parameter, value: Any) -> Any:
    """Return the option's value, or the one from a `surefoot up --` before the command."""
    if value is not None or ctx.obj is None or (said := ctx.obj.get(option.opts[0])) is None:
        return value
    return option.type_cast_value(ctx, said)


_CONFIG = click.option(
    "--config",
    "config_file",
    callback=_or_inherited,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="surefoot.toml, or a pyproject.toml with [tool.surefoot]. "
    "Default: the one in this directory.",
)
_DATABASE_URL = click.option(
    "--database-url",
    callback=_or_inherited,
    metavar="URL",
    help="The database: a libpq or SQLAlchemy URL. Default: SUREFOOT_DATABASE_URL, "
    "DATABASE_URL, POSTGRES_HOST …, PGHOST …, alembic.ini.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")


def _keep(ctx: click.Context, _: click.Parameter, given: tuple[str, ...]) -> None:
    ctx.meta[_ARGUMENTS] = given


_ARGUMENTS = "surefoot.arguments"

# spelled as in Alembic, for each command that runs env.py
arguments_option = click.option(
    "-x",
    "arguments",
    multiple=True,
    metavar="NAME=VALUE",
    expose_value=False,
    callback=_keep,
    help="An argument of env.py, which reads it by context.get_x_argument(). May be repeated.",
)


def _keep_tenant(ctx: click.Context, _: click.Parameter, name: str | None) -> None:
    ctx.meta[_TENANT] = name


_TENANT = "surefoot.tenant"

tenant_option = click.option(
    "--tenant",
    metavar="SCHEMA",
    expose_value=False,
    callback=_keep_tenant,
    help="The schema of one customer, where the configuration has [tenants].",
)


_EVERY = "30s"


def _duration(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
    """Parse a duration as in the configuration; returns seconds."""
    if not is_duration(value):
        raise click.BadParameter(
            f"{value!r} is not a duration such as 30s, 500ms or 2min; 0s means never."
        )
    return seconds(value)


_PROGRESS_EVERY = click.option(
    "--progress-every",
    callback=_duration,
    default=_EVERY,
    metavar="DURATION",
    help=f"How often to report what is running, or what surefoot is waiting for. Default: "
    f"{_EVERY}.",
)

_WHERE = (
    "Where to replay the history: a server on which databases may be created and dropped, or a "
    "directory of PostgreSQL's programs. Default: the system's, else the embedded one."
)

server_option = click.option("--server", metavar="URL|DIRECTORY", help=_WHERE)

servers_option = click.option(
    "--server",
    "servers",
    multiple=True,
    metavar="URL|DIRECTORY",
    help=f"{_WHERE} Repeat it to replay on several: what they make differently is recognised, too.",
)


def project_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --config and --json, for a command that reaches no database of the user."""
    return _CONFIG(_JSON(function))


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --config, --database-url and --json, for a command that reaches a database."""
    return _CONFIG(_DATABASE_URL(_JSON(function)))


shared_option = click.option(
    "--shared",
    is_flag=True,
    help="Install into a schema that holds other objects, if no name is taken; or next to another "
    "installation of the application.",
)
_LOG = click.option(
    "--log",
    type=click.Choice(["text", "json"]),
    default="text",
    help="The form of standard error: text for people (the default), or one JSON object a line.",
)
_LOG_TIME = click.option(
    "--log-time", is_flag=True, help="Begin each line with the time (ISO 8601, UTC)."
)
_VERBOSE = click.option(
    "-v", "--verbose", is_flag=True, help="Show the whole traceback of the application's errors."
)
_QUIET = click.option(
    "-q", "--quiet", is_flag=True, help="Show only warnings, refusals and the result."
)


def account_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that control how a long command reports its progress."""
    for option in (_QUIET, _VERBOSE, _LOG_TIME, _LOG, _PROGRESS_EVERY):
        function = option(function)
    return function


class Account(msgspec.Struct, frozen=True):
    """How a run reports its progress, according to the options. `progress_every` is in seconds."""

    progress_every: float = 30.0
    log: str = "text"
    log_time: bool = False
    verbose: bool = False
    quiet: bool = False


class CommandContext:
    """A command's output: data goes to standard output, everything else to standard error."""

    def __init__(
        self, command: str, as_json: bool, data: TextIO, account: Account, log: TextIO
    ) -> None:
        """`log` is standard error itself, unmasked."""
        self.command, self.as_json, self.data = command, as_json, data
        self.account = account
        self.terminal = Terminal(sys.stderr, stamped=account.log_time)
        self.log: LogTerminal | None = None
        if account.log == "json":
            from surefoot.report import log as events

            self.terminal = self.log = events.LogTerminal(log, quiet=account.quiet)
            sys.stdout = sys.stderr = events.logged(log, self.log)
        self.command_environment: dict[str, str] = {}
        self.session: Workspace | None = None
        self._said = False

    def say(self, text: str) -> None:
        """Write one line for people, wrapped."""
        self._said = True
        if self.log is not None:
            from surefoot.report.log import Notices

            self.log.emit(Notices(text=text, level="warning"))
            return
        # only surefoot's own text may begin in the first column, never text of others
        for line in wrapped(f"surefoot: {text}", self.terminal.width, subsequent_indent="  "):
            self.terminal.line(line)

    def report(self, workspace: "Workspace") -> "TextReport":
        """Return the listener that reports what happens in this workspace."""
        how = self.account
        shown = {"quiet": how.quiet, "verbose": how.verbose}
        page, every, observe = listening.current(), how.progress_every, workspace.observe
        if self.log is not None and page is not None:
            from surefoot.report.served_log import ServedLog

            return ServedLog(self.log, every, observe, page=page, **shown)
        if self.log is not None:
            from surefoot.report.log import LogReport

            return LogReport(self.log, every, observe, **shown)
        if page is not None:
            from surefoot.report.served import Served

            return Served(self.terminal, every, observe, page=page, **shown)
        from surefoot.report.text import TextReport

        return TextReport(self.terminal, every, observe, **shown)

    def ended(self, code: ExitCode) -> None:
        """Note that the report is complete, and with which exit code the process ends."""
        if self.log is not None:
            from surefoot.report.log import Exits, Printed

            if isinstance(sys.stderr, Printed):
                sys.stderr.end()
            self.log.emit(Exits(exit_code=int(code)))

    def restore_output(self) -> None:
        """Restore standard output as it was when the command began."""
        with contextlib.suppress(OSError):
            os.dup2(self.data.fileno(), 1)

    def said(self) -> None:
        """Note that something else was written, so that a blank line precedes the result."""
        self._said = True

    def emit_json(self, exit_code: ExitCode, **parts: Any) -> None:
        """Write the one object of --json."""
        from surefoot.report import json

        self.write(json.encode(self.command, exit_code, **parts))

    def answer(self, given: "answers.Plan | answers.Outcome") -> None:
        """Write the one object of --json, for a command whose answer is a value."""
        from surefoot.report import json

        self.write(json.answer(self.command, given))

    def write(self, text: str) -> None:
        """Write data that is surefoot's own text, or already escaped.

        Raises SurefootError `output-lost`.
        """
        encoding = self.data.encoding or "ascii"
        self.write_bytes(text.rstrip("\n").encode(encoding, "backslashreplace") + b"\n")

    def write_lines(self, lines: Iterable[str]) -> None:
        """Write data for people, a line each. Raises SurefootError `output-lost`."""
        terminal = Terminal(self.data)
        self.write("\n".join(map(terminal.rendered, lines)))

    def write_bytes(self, data: bytes) -> None:
        """Write data unchanged. Raises SurefootError `output-lost`."""
        try:
            self.data.flush()
            self.data.buffer.write(data)
            self.data.flush()
        except (OSError, ValueError) as error:
            raise SurefootError(
                "output-lost",
                "Writing to standard output failed.",
                seen=[str(error)],
                database="What was committed stays; surefoot status shows the database's revision.",
                next="check the program that reads the output, or the file that it is written to",
            ) from error

    def tell(self, error: SurefootError) -> ExitCode:
        """Report the error that ends the command."""
        from surefoot.report import json
        from surefoot.report.text import finding_lines

        finding = error.finding
        if self.as_json and finding.code != "output-lost":
            with contextlib.suppress(SurefootError):  # the error itself matters more
                self.emit_json(finding.exit_code, findings=[json.finding(finding)])
        if self._said:
            self.terminal.line()
        if self.log is not None:
            self._log_error(error)
            return finding.exit_code
        if self.account.verbose and error.__cause__ is not None:
            from surefoot.alembic_env.raised import whole

            for line in whole(error.__cause__):
                self.terminal.line(f"  {line}")
            self.terminal.line()
        for line in finding_lines(self.terminal, finding):
            self.terminal.line(line)
        return finding.exit_code

    def _log_error(self, error: SurefootError) -> None:
        from surefoot.report.log import Raised, finding_event

        assert self.log is not None
        if self.account.verbose and error.__cause__ is not None:
            from surefoot.alembic_env.raised import whole

            self.log.emit(Raised(lines=list(whole(error.__cause__)), level="error"))
        self.log.emit(finding_event(error.finding))


def command_body(
    command: str,
) -> Callable[[Callable[..., ExitCode]], Callable[..., None]]:
    """Wrap a command's function: pass it an `edge` first, and end with its exit code."""

    def wrap(function: Callable[..., ExitCode]) -> Callable[..., None]:
        @functools.wraps(function)
        def wrapped(*, as_json: bool, **given: Any) -> None:
            said = {name: given[name] for name in Account.__struct_fields__ if name in given}
            options = {name: value for name, value in given.items() if name not in said}
            account = Account(**said)
            if account.verbose and account.quiet:
                raise click.UsageError("-v and -q can't be used together.")
            signals.install()
            run_commands_as(os.environ.get("SUREFOOT_RUN_AS"))  # until the configuration is read
            log = sys.stderr
            with data_stream() as data:
                context = CommandContext(command, as_json, data, account, log)
                running = _Running(context, options.get("run", []))
                supervisor.prepare(running)
                try:
                    code = _outcome(context, lambda: function(context, **options))
                except Exception as error:
                    if not supervisor.is_child():
                        raise
                    # without this, the supervisor takes it for the application's end
                    code = ExitCode(report_bug(error))
                context.ended(code)
                supervisor.tell(code=int(code))
            if supervisor.is_child():
                sys.exit(int(code))  # the application may have exit handlers
            if running.after and code is ExitCode.DONE:
                code = running.become()
            _stop_serving(context, int(code), signalled=signals.requested())
            sys.exit(int(code))

        return wrapped

    return wrap


def _outcome(context: CommandContext, run: Callable[[], ExitCode]) -> ExitCode:
    """Run the command's function and report its result. Returns the exit code."""
    try:
        return run()
    except SurefootError as error:
        if not signals.requested():
            return context.tell(error)
        # for example, a statement that was cancelled because of the signal
    except KeyboardInterrupt:
        pass
    except Exception:
        if not signals.requested():
            raise
    signals.answered()
    return context.tell(_interrupted(context))


class _Running:
    """A running command, and how it ends in the supervisor or in the child process."""

    def __init__(self, context: CommandContext, after: list[str]) -> None:
        self._edge, self.after = context, after
        self._environ = dict(os.environ)  # settings for env.py are not meant for the command

    def become(self) -> ExitCode:
        """Replace this process with the command after `--`, unless a signal came.

        The command gets the signal handlers that it would have had without surefoot. Returns the
        exit code if the command can't be started.
        """
        context = self._edge
        context.as_json = False  # its one object is already written
        environ = self._environ | context.command_environment
        if (page := listening.current()) is not None:
            if not listening.takes_a_socket(self.after):
                context.say(listening.CLOSED)
            environ = page.hand_over(self.after, environ)
        error = become(self.after, environ, signals.requested)
        if error is None:
            signals.answered()
            return context.tell(_interrupted(context))
        return context.tell(
            SurefootError(
                "command-not-found",
                f"{self.after[0]} can't be started.",
                seen=[error.strerror or str(error)],
                database="The database is at head.",
                next="correct the command behind --; a script needs a first line such as "
                "#!/bin/sh, and the right to be executed",
            )
        )

    # --- in the supervising process

    def alone(self) -> None:
        """Prepare the child process: its reports go to streams of its own.

        The application may close or redirect 1 and 2. The embedded server belongs to the
        supervisor.
        """
        self._edge.terminal.keep_stream()
        if self._edge.session is not None and self._edge.session.server is not None:
            self._edge.session.server.leave()

    def died(self, died: supervisor.Died) -> int:
        """Report the end of a child that reported nothing itself."""
        from surefoot.workflows.last_words import account_of

        signals.answered()
        context = self._edge
        context.said()
        code = context.tell(account_of(died, context.session))
        context.ended(code)
        return int(code)

    def end(self, code: int, *, signalled: bool) -> NoReturn:
        """End this process; if all went well, replace it with the command."""
        context = self._edge
        if code == 0 and self.after:
            if signalled:
                signals.request()
            if context.session is not None:
                context.command_environment = context.session.leave_server_to_command()
            sys.stdout.flush()
            sys.stderr.flush()
            context.restore_output()
            code = int(self.become())
        _stop_serving(context, code, signalled=signalled)
        if context.session is not None and context.session.server is not None:
            context.session.server.close()
        with contextlib.suppress(OSError, ValueError):
            context.data.flush()
            sys.stderr.flush()
        os._exit(code)


def _stop_serving(context: CommandContext, code: int, *, signalled: bool) -> None:
    """Stop serving the page. With serve_failed = "stay", a failed run serves it until a signal."""
    page = listening.current()
    if page is None:
        return
    stays = context.session is not None and context.session.project.config.serve_failed == "stay"
    if code and stays and not signalled:
        page.answer()
        page.tell(phase="failed")
        context.say("the page stays until this process ends (serve_failed)")
        signals.wait()
    page.finish()


def _interrupted(context: CommandContext) -> SurefootError:
    """Report a signal that came outside of the steps; the steps report theirs themselves."""
    if context.session is not None and context.session.begun:
        return SurefootError(
            "interrupted",
            "A signal ended the run after its last step.",
            database="What was committed stays; surefoot status shows the database's revision.",
            next="start again: surefoot continues from the database's current revision",
        )
    return SurefootError(
        "interrupted",
        "A signal ended the run before it began.",
        next="start again",
    )


def working_directory() -> Path:
    """Return the working directory. Raises SurefootError `config-not-found` if it was removed."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise SurefootError(
            "config-not-found",
            "The working directory doesn't exist any more.",
            database=NOT_REACHED,
            next="change to the application's directory, then start again",
        ) from error


def load_project(config_file: Path | None) -> Project:
    """Read the configuration and the environment's overrides. Raises SurefootError `config-…`.

    The environment takes precedence: an operator can't change the image.
    """
    project = load(config_file, working_directory(), os.environ)
    run_commands_as(project.config.run_as)
    context = click.get_current_context(silent=True)
    given: tuple[str, ...] = context.meta.get(_ARGUMENTS, ()) if context is not None else ()
    _keep_secret_in((*project.config.x_arguments, *given))
    tenant: str | None = context.meta.get(_TENANT) if context is not None else None
    carry(given, tenant)
    project = msgspec.structs.replace(project, given=given)
    return project if tenant is None else project.of_tenant(tenant)


def _keep_secret_in(arguments: Iterable[str]) -> None:
    from surefoot.errors.masking import keep_secrets, passwords_in

    for argument in arguments:
        name, _, value = argument.partition("=")
        named = [value] if re.search(r"(?i)passw|secret|token", name) else []
        keep_secrets({}, *named, *passwords_in(argument))


@contextlib.contextmanager
def open_session(
    context: CommandContext,
    config_file: Path | None,
    database_url: str | None,
    *,
    to_act: bool = True,
    needs_code: bool = True,
    shared: bool = False,
) -> Generator["Workspace", None, None]:
    """Open the way to the database and the code; without an address, to the embedded server.

    Without `needs_code`, the application's history may be missing. `shared` is the option of that
    name; it overrides the configuration.
    """
    from surefoot.look.code import find_ini

    project = load_project(config_file)
    if shared:
        config = msgspec.structs.replace(project.config, shared=True)
        project = msgspec.structs.replace(project, config=config)
    for name in project.strange:
        context.say(f"{name} is set, but there is no such key: did you mean {nearest(name)}?")
    try:
        ini = find_ini(project)
    except SurefootError:
        if needs_code:
            raise
        ini = None
    ini_url = ini.get("sqlalchemy.url") if ini else None
    own = project.config.url_variables
    target = locate(database_url, os.environ, ini_url, own)
    _require_libpq()
    from surefoot.decision.decide import Intent
    from surefoot.workflows.workspace import Workspace

    intent = Intent.ACT if to_act else Intent.LOOK
    approval = os.environ.get("SUREFOOT_APPROVE", "").strip() or None
    if target is not None:
        keep_secret(target, ini_url or "")
        context.session = Workspace(
            project, ini, target, context.say, intent, context.account.progress_every
        )
        context.session.approval = approval
        with contextlib.closing(context.session):
            yield context.session
        return
    from surefoot.postgres.embedded import has_embedded

    written = ini.raw("sqlalchemy.url") if ini else ""
    empty = any(os.environ.get(name) == "" for name in ADDRESS_NAMES)
    if not has_embedded() or empty or written not in ("", _PLACEHOLDER):
        raise _not_named(written, ini_url, own)
    with _embedded(project) as server:
        target = Target(server.parameters(), "the embedded PostgreSQL")
        keep_secret(target)
        context.session = Workspace(
            project, ini, target, context.say, intent, context.account.progress_every
        )
        context.session.server = server
        context.session.approval = approval
        with contextlib.closing(context.session):
            yield context.session


# in the alembic.ini that `alembic init` writes
_PLACEHOLDER = "driver://user:pass@localhost/dbname"


def _not_named(written: str, ini_url: str | None, own: Mapping[str, str]) -> SurefootError:
    """`written` is sqlalchemy.url as it is in the ini file, `ini_url` what it says."""
    parts = [name for name, wanted in own.items() if wanted in PARTS]
    empty = [name for name in (*ADDRESS_NAMES, *parts) if os.environ.get(name) == ""]
    return SurefootError(
        "database-not-named",
        "No database address was given.",
        seen=[
            *(f"{name} is set, and empty" for name in empty),
            *([_why_not(ini_url)] if written else []),
            "no --database-url, SUREFOOT_DATABASE_URL, DATABASE_URL, POSTGRES_HOST or PGHOST",
            *([f"no host and no database in {', '.join(parts)} (url_variables)"] if parts else []),
        ],
        database=NOT_REACHED,
        next=to_type(
            "name the database in one of these ways; or, to try things without one",
            "pip install 'surefoot[embedded]'",
        ),
    )


def _why_not(ini_url: str | None) -> str:
    where = "sqlalchemy.url in the ini file"
    if ini_url is None:
        return f"{where} can't be read: it has a % that isn't doubled, or an undefined %(name)s"
    return f"{where} is no address of PostgreSQL"


def _embedded(project: Project) -> "Server":
    """Start this project's embedded server; its data is kept between runs."""
    import hashlib

    from surefoot.postgres.embedded import Server, embedded_bin

    if os.geteuid() == 0:
        home = Path("/var/lib/surefoot")  # the server runs as nobody, who can't enter /root
    else:
        home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "surefoot"
    digest = hashlib.sha256(str(project.root).encode()).hexdigest()[:8]
    return Server(embedded_bin(), data=home / f"{project.root.name or 'root'}-{digest}")


def _require_libpq() -> None:
    try:
        import psycopg  # noqa: F401 (whether it loads)  # pyright: ignore[reportUnusedImport]
    except ImportError as error:
        raise SurefootError(
            "libpq-missing",
            "psycopg can't find libpq, PostgreSQL's client library.",
            seen=[str(error).splitlines()[0]],
            database=NOT_REACHED,
            next=to_type(
                "install the system's libpq (libpq5); or", "pip install 'surefoot[binary]'"
            ),
        ) from error


def report_bug(error: Exception) -> int:
    """Report an unexpected exception, with its traceback and what to do about it."""
    import traceback

    terminal = Terminal(sys.stderr)
    for lines in traceback.format_exception(error):
        for line in lines.rstrip().split("\n"):
            terminal.line(line)
    terminal.line("surefoot has a bug: please report the lines above (they may name your tables).")
    terminal.line("What was committed stays; surefoot status shows the database's revision.")
    return int(ExitCode.BUG)


if TYPE_CHECKING:
    from surefoot.model.outcome import Outcome


def emit_outcome(context: CommandContext, target: Target, outcome: "Outcome") -> None:
    """Write the outcome as JSON if --json is given. Raises SurefootError `output-lost`."""
    if context.as_json:
        from surefoot.report import json

        context.answer(json.outcome(outcome.exit_code, target, outcome))
