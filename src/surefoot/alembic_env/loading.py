"""Make the application's Alembic `Config`, in the context that the application expects.

That is: the working directory, `sys.path`, the environment variables, and around it a Flask
application context or whatever the project's own callable sets up.
"""

import contextlib
import gc
import inspect
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import alembic
import sqlalchemy
from alembic.config import Config as AlembicConfig
from sqlalchemy.exc import InvalidRequestError

from surefoot.alembic_env.arguments import ArgumentMissing, give
from surefoot.alembic_env.raised import cause_of, describe
from surefoot.alembic_env.tenant import told
from surefoot.diagnosis.connection_loss import BY_TIMEOUT, too_short
from surefoot.diagnosis.refused import before_anything
from surefoot.errors import SurefootError
from surefoot.errors.masking import masked
from surefoot.model.target import Target
from surefoot.project.config import Project
from surefoot.project.url_variables import driver_of_ini, variables
from surefoot.revision_source.ini import IniFile
from surefoot.system import signals

# Opens the application's Alembic configuration for one run of env.py.
OpenConfig = Callable[[], contextlib.AbstractContextManager[AlembicConfig]]


@contextlib.contextmanager
def alembic_config(
    project: Project, ini: IniFile | None, target: Target
) -> Generator[OpenConfig, None, None]:
    """Return what opens the application's Alembic configuration, for as long as it's needed.

    The environment variables stay set: threads and engines that the application keeps may read them
    later. Raises SurefootError `application-environment-failed`.
    """
    # __main__ turned the collector off. What has been imported until here stays, so the collector
    # needn't scan it again and again while the application runs.
    gc.freeze()
    gc.enable()
    config = project.config
    ini_url = ini.get("sqlalchemy.url") if ini else None
    default = driver_of_ini(ini_url) or _any_driver()
    os.environ.update(variables(target, config, os.environ, default))
    working_directory = ini.working_directory() if ini else project.root
    with contextlib.ExitStack() as stack:
        stack.enter_context(told(project))
        stack.enter_context(contextlib.chdir(working_directory))
        for directory in (project.root, working_directory):
            if str(directory) not in sys.path:
                _put_on_path(str(directory), first=config.flask_app is not None)
        if config.alembic_config and not config.flask_app:
            name = config.alembic_config
            yield lambda: _own_config(name, project.arguments)
            return
        with wrap_app_errors(project.root):
            if config.flask_app:
                made = stack.enter_context(_flask_config(config.flask_app, ini, project.arguments))
            else:
                assert ini is not None
                driver = config.driver or target.driver or default
                made = _plain_config(ini, project, target, driver)
                give(made, project.arguments)
            _prepend_sys_path(made)
        yield lambda: contextlib.nullcontext(made)


def _plain_config(ini: IniFile, project: Project, target: Target, driver: str) -> AlembicConfig:
    """Make the configuration as `alembic` does, from the ini file, if any, and pyproject.toml
    (1.16).

    If a script directory was named, there is no ini file to name.
    """
    options: dict[str, Any] = {}
    takes_toml = "toml_file" in inspect.signature(AlembicConfig).parameters
    if takes_toml and ini.pyproject is not None and ini.pyproject.is_file():
        options["toml_file"] = str(ini.pyproject)
    file = str(ini.file) if ini.is_there or ini.script_location is None else None
    made = AlembicConfig(file, ini_section=project.config.alembic_section, **options)
    if ini.script_location is not None:
        made.set_main_option("script_location", ini.script_location.replace("%", "%%"))
    if "alembic.ini" not in target.source:
        # '%' begins an interpolation in an ini file
        made.set_main_option("sqlalchemy.url", target.url(driver).replace("%", "%%"))
    return made


def _any_driver() -> str:
    """Return a driver that works for a synchronous and an asynchronous env.py, if there is one."""
    modern = int(sqlalchemy.__version__.split(".")[0]) >= 2
    return "postgresql+psycopg" if modern else "postgresql"


def _prepend_sys_path(config: AlembicConfig) -> None:
    """Apply `prepend_sys_path` first, as `alembic` does."""
    for part in _listed(config):
        directory = str(Path(part).absolute())
        if sys.path[0] != directory:
            _put_on_path(directory, first=True)


def _listed(config: AlembicConfig) -> list[str]:
    if hasattr(config, "get_prepend_sys_paths_list"):  # Alembic 1.16, which reads pyproject.toml
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Alembic gives it again
            return config.get_prepend_sys_paths_list() or []
    listed = config.get_main_option("prepend_sys_path")
    return (listed or "").replace(",", " ").replace(os.pathsep, " ").split()


def _put_on_path(directory: str, *, first: bool) -> None:
    """Make the directory's modules importable.

    `first`: before the standard library's, for the application itself, as it is used to.
    """
    from surefoot.system import shadowing

    if first:
        shadowing.guard([directory])
    sys.path.insert(0 if first else shadowing.after_standard(), directory)


@contextlib.contextmanager
def _flask_config(
    name: str, ini: IniFile | None, arguments: tuple[str, ...]
) -> Generator[AlembicConfig, None, None]:
    """Push the application context and use Flask-Migrate's configuration, as `flask db` does."""
    application = imported(name)
    if not hasattr(application, "app_context"):
        application = application()
    if "migrate" not in getattr(application, "extensions", ()):
        raise SurefootError(
            "application-environment-failed",
            f'flask_app = "{name}" leads to no application that uses Flask-Migrate.',
            seen=[f"it is a {type(application).__name__}"],
            next="name the application, or what makes it, for which Migrate(app, db) was called; "
            "if env.py only needs its context, have it push the context itself, and name its ini "
            "file instead: alembic",
        )
    with application.app_context():
        migrate = application.extensions["migrate"].migrate
        directory = str(ini.file.parent) if ini else None
        given = {"x_arg": list(arguments)} if arguments else {}
        yield migrate.get_config(directory, **given)


@contextlib.contextmanager
def _own_config(name: str, arguments: tuple[str, ...]) -> Generator[AlembicConfig, None, None]:
    """Use the project's own callable: entered for each run of env.py, and exited after it.

    What it does at its end, a commit for example, happens under the lock, and the last look sees
    it.
    """
    made = imported(name)()
    with made if hasattr(made, "__enter__") else contextlib.nullcontext(made) as config:
        give(config, arguments)
        _prepend_sys_path(config)
        yield config


def env_runner(project: Project) -> Callable[[Callable[[], None]], object]:
    """Return the project's own callable that must run env.py, if any.

    Raises SurefootError `application-environment-failed`.
    """
    if project.config.env_runner is None:
        return lambda run: run()
    with wrap_app_errors(project.root):
        return imported(project.config.env_runner)


def imported(name: str) -> Any:
    """Import the object that "package.module:attribute" names."""
    from surefoot.system.shadowing import import_for_application

    module, _, attribute = name.partition(":")
    return getattr(import_for_application(module), attribute or "app")


class ApplicationFailed(SurefootError):
    """The application's own code raised; the cause is what it raised."""


@contextlib.contextmanager
def wrap_app_errors(root: Path, doing: str = "") -> Generator[None, None, None]:
    """Turn whatever the application's own code raises into one clear finding.

    Raises SurefootError `application-environment-failed`, naming the file and line of the
    application that raised.
    """
    try:
        with recursion_limit_kept(), signals.interruptible():
            yield
    except SurefootError:
        raise
    except BaseException as error:
        closed = isinstance(error, GeneratorExit) and _raised_here(error)
        if closed or isinstance(error, signals.StopRequested):
            raise
        if signals.requested():  # whatever the application turned it into
            raise signals.StopRequested from error
        where = place(error, root)
        lines = describe(error)
        refused = before_anything(cause_of(error), "\n".join(lines))
        if refused is not None:
            raise ApplicationFailed(
                refused.code,
                f"{refused.message}, for the application's own connection{doing}.",
                seen=[*([f"at {where}"] if where else []), *lines],
                next=refused.next,
            ) from error
        raise ApplicationFailed(
            "application-environment-failed",
            f"The application's own code failed before the first revision{doing}.",
            seen=[
                *([f"at {where}"] if where else []),
                *lines,
            ],
            next=remedy(error),
        ) from error


@contextlib.contextmanager
def recursion_limit_kept() -> Generator[None, None, None]:
    """Keep the recursion limit from being lowered.

    The application may need a higher limit, and keeps it. With a lower one, later calls, such as a
    rollback, could fail.
    """
    limit = sys.getrecursionlimit()
    try:
        yield
    finally:
        if sys.getrecursionlimit() < limit:
            sys.setrecursionlimit(limit)


def _raised_here(error: BaseException) -> bool:
    """Whether this frame itself raised it."""
    return error.__traceback__ is None or error.__traceback__.tb_next is None


def place(error: BaseException, root: Path) -> str | None:
    """Return `file:line` of the innermost frame in the application's files.

    The application's files are those below `root`, or Alembic's scripts wherever they are
    installed. The path is relative to `root` or to the installed package's directory.
    """
    frames = [(Path(f.filename), f.lineno) for f in traceback.extract_tb(error.__traceback__)]
    own = [(file.relative_to(root), line) for file, line in frames if _is_below(file, root)]
    scripts = [(file, line) for file, line in frames if file.name == "env.py" or _of_history(file)]
    if not own and not scripts:
        return None
    file, line = (own or scripts)[-1]
    _, found, installed = file.as_posix().partition("/site-packages/")
    return f"{installed if found else file.as_posix()}:{line}"


def raised_in_imported(error: BaseException) -> bool:
    """Whether code that a revision file imports has raised the error."""
    files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    below = next((n for n, file in enumerate(files) if _of_history(file)), len(files))
    return any(file.is_file() and not _of_history(file) for file in files[below:])


def frames(error: BaseException, root: Path) -> tuple[str, ...]:
    """Return the frames in the application's own files, the innermost last.

    Without those of the env.py that called the rest.
    """
    found: list[str] = []
    for frame in traceback.extract_tb(error.__traceback__):
        file = Path(frame.filename)
        if not is_own_file(file, root) or (file.name == "env.py" and not found):
            continue
        shown = file.relative_to(root) if file.is_relative_to(root) else file
        line = (masked(frame.line or "").splitlines() or [""])[0]
        found.append(f"{shown}:{frame.lineno} in {frame.name}: {line}")
    return tuple(found)


def is_own_file(file: Path, root: Path) -> bool:
    """Whether a file is the application's: below its root, or an env.py or a revision elsewhere."""
    return _is_below(file, root) or file.name == "env.py" or _of_history(file)


def _is_below(file: Path, root: Path) -> bool:
    return file.is_relative_to(root) and not {"site-packages", ".venv"} & set(file.parts)


def _of_history(file: Path) -> bool:
    """Whether a file is below the `versions` next to an env.py; pyenv has such a directory too."""
    return any(d.name == "versions" and (d.parent / "env.py").is_file() for d in file.parents)


def remedy(error: BaseException) -> str:
    """Return the next step for a failure of the application's own code."""
    missing = next((one for one in _chain(error) if isinstance(one, ArgumentMissing)), None)
    if missing is not None:
        return (
            f"pass env.py its argument: -x {missing.name}=VALUE on the command line, or "
            f'x_arguments = ["{missing.name}=VALUE"] in surefoot.toml'
        )
    if isinstance(error, ModuleNotFoundError):
        missing = error.name or "the module"
        return (
            f"install {missing} in surefoot's environment; if it is the application's own "
            "package, add its directory to prepend_sys_path in alembic.ini; if it is a driver "
            "that the application "
            'does not use, set driver = "postgresql+…" in surefoot.toml'
        )
    if any(_wants_async_driver(one) for one in _chain(error)):
        return (
            "name the driver that the application uses, in surefoot.toml: "
            'driver = "postgresql+asyncpg"'
        )
    cause = cause_of(error)
    if cause is not None and cause.sqlstate in BY_TIMEOUT:
        return too_short(BY_TIMEOUT[cause.sqlstate], "the application's own code")
    if cause is not None and cause.sqlstate == "3F000":  # invalid_schema_name
        return (
            "create the schema; or let an init script create it that stands for base: init = "
            '["before.sql"] and init_revision = "base" in surefoot.toml (surefoot explain '
            "init-scripts). If another schema is meant, correct the application's settings"
        )
    if any(getattr(one, "connection_invalidated", False) for one in _chain(error)):
        # a message that the server sent before it closed the connection can be lost
        ended = "the server's log says who ended the session of env.py. "
        setting = "idle_in_transaction_session_timeout"
        return ended + too_short(setting, "the application's own code", perhaps=True)
    own = "correct the application's code or its settings; `alembic current` runs the same env.py"
    code = _code_of_env(error)
    if "get_x_argument" in code:
        own += (
            "; if env.py needs an argument (get_x_argument), pass it: -x NAME=VALUE on the "
            'command line, or x_arguments = ["NAME=VALUE"] in surefoot.toml'
        )
    if "config.attributes" in code or any(_lacks_attribute(one) for one in _chain(error)):
        own += (
            "; if env.py needs something in Alembic's Config, such as a connection in its "
            'attributes, name the function that makes it: alembic_config = "package.module:name" '
            "in surefoot.toml (surefoot explain alembic_config)"
        )
    return own


def _chain(error: BaseException | None) -> Generator[BaseException, None, None]:
    """Return the exception and its causes."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def _wants_async_driver(error: BaseException) -> bool:
    """Whether an asynchronous engine was given a synchronous driver, such as the default one."""
    return isinstance(error, InvalidRequestError) and "requires an async driver" in str(error)


def _lacks_attribute(error: BaseException) -> bool:
    """Whether the application's own code sets this attribute of Alembic's Config."""
    return isinstance(error, AttributeError) and isinstance(error.obj, AlembicConfig)


def _code_of_env(error: BaseException) -> str:
    """Return the text of env.py and of the application's files that it had called when the error
    was raised.
    """
    files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    begin = next((n for n, file in enumerate(files) if file.name == "env.py"), len(files))
    return "\n".join(
        file.read_text(encoding="utf-8", errors="replace")
        for file in dict.fromkeys(files[begin:])
        if file.is_file() and not any(file.is_relative_to(one) for one in _NOT_ENVS)
    )


# they have what env.py may read
_NOT_ENVS = (Path(alembic.__file__).parent, Path(__file__).parents[1])
