"""The project's configuration: `surefoot.toml`, or `[tool.surefoot]` in `pyproject.toml`."""

import contextlib
import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args, get_origin

import msgspec

from surefoot.errors import NOT_CHANGED, NOT_REACHED, SurefootError
from surefoot.errors.steps import to_type
from surefoot.project.locate import (
    FILE_NAME,
    PARTS,
    PREFIX,
    configuration_file,
    variables,
    version_table_of,
)
from surefoot.scripts.header import ScriptFile
from surefoot.system.files import read_file

if TYPE_CHECKING:  # a start with nothing to run doesn't need the lexer
    from surefoot.scripts.reader import Script

_DURATIONS = ("wait", "lock_wait", "lock_timeout", "statement_timeout")
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_DURATION = r"^\d+(\.\d+)?\s*(ms|s|min|h)$"
Duration = Annotated[str, msgspec.Meta(pattern=_DURATION)]


class ScriptEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One SQL script: its path, and the search_path that it runs with."""

    path: str
    search_path: str | None = None


class OriginEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A structure that a release made without the history: by a call, or by scripts.

    `revision` is the one that the release recorded, as a person names it: an id, a release, head.
    """

    revision: str = "head"
    create: str | None = None
    scripts: list[str | ScriptEntry] = []
    name: str | None = None

    @property
    def called(self) -> str:
        """Its name in the catalogue."""
        if self.name is not None:
            return self.name
        if self.create is not None:
            return "create_all"
        first = self.scripts[0]
        return Path(first if isinstance(first, str) else first.path).stem


Scripts = Annotated[list[str | ScriptEntry], msgspec.Meta(min_length=1)]


class Tenants(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A schema for each customer in one database, all of one history.

    `schemas` are their names, or `sql:QUERY` or `command:COMMAND` that gives them. The others are
    how env.py learns the name, for which {} stands. `shared` is the configuration of the history
    that makes what all tenants share.
    """

    schemas: Annotated[list[str], msgspec.Meta(min_length=1)] | str
    argument: str | None = None
    variable: str | None = None
    attribute: str | None = None
    search_path: str | None = None
    shared: str | None = None

    def path(self, tenant: str) -> str | None:
        """The search path that env.py's connections are given."""
        return None if self.search_path is None else self.search_path.replace("{}", tenant)


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every key, with its default. The pages docs/reference/configuration*.md explain each."""

    alembic: str | None = None
    alembic_section: str = "alembic"
    alembic_config: str | None = None
    flask_app: str | None = None
    env_runner: str | None = None
    x_arguments: list[str] = []
    version_table: str | None = None
    version_table_schema: str | None = None
    driver: str | None = None
    url_variables: dict[str, str] = {}
    init: list[str | ScriptEntry] = []
    init_revision: str | list[str] | None = None
    former_init: list[str | ScriptEntry | Scripts] = []
    origins: list[OriginEntry] = []
    seeds: list[str | ScriptEntry] = []
    search_path: str | None = None
    application: str | None = None
    shared: bool = False
    catalog: str | None = None
    catalog_required: bool = False
    ambiguous: Literal["refuse", "earliest", "latest"] = "refuse"
    evidence: dict[str, str] = {}
    ahead: Literal["run-if-compatible", "refuse"] = "run-if-compatible"
    destructive: Literal["allow", "warn", "refuse"] = "warn"
    accept_newer: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    heads: Annotated[int, msgspec.Meta(ge=1)] = 1
    build_hosts: list[str] = []
    build_programs: list[str] = []
    wait: Duration = "60s"
    lock_wait: Duration = "10min"
    lock_timeout: Duration = "5s"
    lock_retries: Annotated[int, msgspec.Meta(ge=0)] = 10
    statement_timeout: Duration | None = None
    row_security: Literal["refuse", "apply"] = "refuse"
    serve_failed: Literal["exit", "stay"] = "exit"
    backup: Literal["off", "before-upgrade"] = "off"
    backup_directory: str = "backups"
    backup_keep: Annotated[int, msgspec.Meta(ge=1)] = 5
    backup_keep_days: Annotated[int, msgspec.Meta(ge=1)] | None = None
    run_as: str | None = None
    certify_smoke: str | None = None
    tenants: Tenants | None = None

    def scripts(self, entries: list[str | ScriptEntry]) -> list[ScriptEntry]:
        """Return the entries of `init` or `seeds` in full form, with the common search_path."""
        full = [ScriptEntry(entry) if isinstance(entry, str) else entry for entry in entries]
        return [ScriptEntry(e.path, e.search_path or self.search_path) for e in full]

    @property
    def smoke(self) -> list[str]:
        """Return the words of `certify_smoke`, [] without one. Raises ValueError."""
        if self.certify_smoke is None:
            return []
        words = shlex.split(self.certify_smoke)
        if not words:
            raise ValueError("it is empty")
        return words

    @property
    def catalog_file(self) -> str | None:
        """Return the catalogue's configured place; None for the usual one.

        "required" isn't a place.
        """
        return None if self.catalog == "required" else self.catalog

    @property
    def requires_catalogue(self) -> bool:
        """Whether a start without a usable catalogue is refused."""
        return self.catalog_required or self.catalog == "required"

    @property
    def init_revisions(self) -> tuple[str, ...]:
        """Return the version rows for which the init scripts stand; () if that isn't said."""
        said = self.init_revision
        return () if said is None else (said,) if isinstance(said, str) else tuple(sorted(said))

    def former(self) -> list[list[ScriptEntry]]:
        """Return the entries of `former_init` in full form: the scripts of each earlier release."""
        return [self.scripts(e if isinstance(e, list) else [e]) for e in self.former_init]


class Project(msgspec.Struct, frozen=True):
    """A configuration and its location: paths in it are relative to `root`.

    `written` are the keys in the file. `variables` are the environment variables that may set keys,
    and `strange` those of them that set none and look like a mistyped one. `given` are env.py's
    arguments from the command line. `tenant` is the schema of the tenant that a command is about;
    then `version_tables` are the name and the schema that the configuration gives the version
    tables of all tenants.
    """

    config: Config
    root: Path
    file: Path | None = None
    written: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    strange: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    tenant: str | None = None
    version_tables: tuple[str | None, str | None] = (None, None)

    @property
    def arguments(self) -> tuple[str, ...]:
        """env.py's arguments; if a name has two values, Alembic takes the last."""
        tenants = self.config.tenants
        own: tuple[str, ...] = ()
        if self.tenant is not None and tenants is not None and tenants.argument is not None:
            own = (tenants.argument.replace("{}", self.tenant),)
        return (*self.config.x_arguments, *self.given, *own)

    @property
    def settings(self) -> tuple[tuple[str, Any, str], ...]:
        """Return each non-default setting, with its value and the variable or file that sets it."""
        given, default = dict(self.variables), Config()
        found: list[tuple[str, Any, str]] = []
        for key in Config.__struct_fields__:
            value, variable = getattr(self.config, key), PREFIX + key.upper()
            if value == getattr(default, key):
                continue
            if variable in given or key in self.written:
                file = self.file.name if self.file else FILE_NAME
                found.append((key, value, variable if variable in given else file))
        return tuple(found)

    def path(self, relative: str) -> Path:
        """Return a path of the configuration as an absolute path."""
        return self.root / relative

    def without_scripts(self) -> "Project":
        """Return the same project without scripts: its history alone."""
        config = msgspec.structs.replace(
            self.config, init=[], init_revision=None, former_init=[], origins=[], seeds=[]
        )
        return msgspec.structs.replace(self, config=config)

    def beginning_with(self, init: list[ScriptEntry], revisions: tuple[str, ...]) -> "Project":
        """Return the same project with other init scripts, which stand for these revisions."""
        config = msgspec.structs.replace(
            self.config, init=[*init], init_revision=[*revisions], former_init=[]
        )
        return msgspec.structs.replace(self, config=config)

    def of_tenant(self, tenant: str) -> "Project":
        """The same project for one tenant: with its version table, and scripts run in its schema
        unless they have a search path of their own, in which {} stands for the schema.

        Raises SurefootError `tenant-unknown`.
        """
        if self.config.tenants is None:
            raise SurefootError(
                "tenant-unknown",
                f"--tenant {tenant!r}: the configuration knows no tenants.",
                seen=[
                    f"there is no table [tenants] in {self.file.name if self.file else FILE_NAME}"
                ],
                database=NOT_REACHED,
                next="leave --tenant out; or write [tenants]: surefoot explain tenants",
            )
        require_tenant_name(tenant)

        def placed(entry: str | ScriptEntry) -> ScriptEntry:
            (one,) = self.config.scripts([entry])
            return ScriptEntry(one.path, (one.search_path or "{}").replace("{}", tenant))

        given = self.config.version_table, self.config.version_table_schema
        table, schema = version_table_of(tenant, *given)
        if len(table.encode()) > _LONGEST:
            raise _unusable(
                tenant, f"its version table's name, {table}, is longer than {_LONGEST} bytes"
            )
        config = msgspec.structs.replace(
            self.config,
            version_table=table,
            version_table_schema=schema,
            init=[placed(one) for one in self.config.init],
            seeds=[placed(one) for one in self.config.seeds],
        )
        return msgspec.structs.replace(self, config=config, tenant=tenant, version_tables=given)

    def accepting_losses(self) -> "Project":
        """Return the same project with losses accepted: they are reported, but stop nothing."""
        config = msgspec.structs.replace(self.config, destructive="warn")
        return msgspec.structs.replace(self, config=config)

    def script(self, file: ScriptFile) -> "Script":
        """Return a script of the configuration, ready to read."""
        from surefoot.scripts.reader import Script

        return Script(self.path(file.path), file.search_path, file.path)


_TENANT = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_NOT_TENANTS = ("surefoot", "public", "information_schema")
_LONGEST = 63  # bytes of a name; PostgreSQL cuts off the rest


def require_tenant_name(name: str) -> None:
    """A name that is written without quotes: env.py, a revision and surefoot then mean the same
    schema by it, and it's one word in a definition. Raises SurefootError `tenant-unknown`.
    """
    from surefoot.diagnosis.names import identifier

    if not _TENANT.fullmatch(name) or name.startswith("pg_") or name in _NOT_TENANTS:
        raise _unusable(name, "a name has small letters, digits and _, and begins with no digit")
    if identifier(name) != name:
        raise _unusable(name, _WORD)


_WORD = "it is a word of SQL, which needs quotes"


def needs_quotes(name: str) -> SurefootError:
    """Return the error for a tenant whose name this server writes with quotes."""
    return _unusable(name, _WORD, NOT_CHANGED)


def _unusable(name: str, why: str, database: str = NOT_REACHED) -> SurefootError:
    message = f"A tenant's schema can't be called {name!r}."
    if name in _NOT_TENANTS or name.startswith("pg_"):
        seen, next = "PostgreSQL or surefoot uses that name", "correct the list, or --tenant"
    else:
        from surefoot.diagnosis.names import identifier

        seen, plain = why, re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40] or "1"
        next = to_type(
            "correct the name; or, if the schema is there, rename it, and let the application and "
            "[tenants] schemas use the new name",
            f"alter schema {identifier(name)} rename to tenant_{plain};",
        )
    return SurefootError("tenant-unknown", message, seen=[seen], database=database, next=next)


def application_name(project: Project) -> str:
    """Return the application's name: as configured, or from its pyproject.toml or directory."""
    if project.config.application:
        return project.config.application
    document: dict[str, Any] = {}
    with contextlib.suppress(OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        document = tomllib.loads(project.path("pyproject.toml").read_text(encoding="utf-8"))
    section: Any = document.get("project")
    name: Any = cast("dict[str, Any]", section).get("name") if isinstance(section, dict) else None
    return name if isinstance(name, str) and name else project.root.resolve().name or "application"


def is_duration(text: str) -> bool:
    """Whether it is a duration like "90s", "5 min" or "1.5h"."""
    return re.search(_DURATION, text) is not None


def seconds(duration: str) -> float:
    """Return the seconds of a duration like "90s", "5 min" or "1.5h"."""
    match = re.fullmatch(r"([\d.]+)\s*(ms|s|min|h)", duration)
    assert match is not None, duration
    return float(match[1]) * _UNITS[match[2]]


def load(file: Path | None, directory: Path, environ: Mapping[str, str] | None = None) -> Project:
    """Read the configuration from `file`, or from `directory`, or use the defaults.

    Variables in `environ` take precedence. Raises SurefootError `config-not-found` or
    `config-invalid`.
    """
    project = _load(file, directory)
    given = variables(environ or {})
    said = {name: value for name, value in given if _key_of(name) in Config.__struct_fields__}
    values = {_key_of(name): _value_of(name, value) for name, value in said.items()}
    config = msgspec.structs.replace(project.config, **values)
    if _is_shared(config) and not _is_shared(project.config):
        variable = next(name for name in said if _key_of(name).startswith("version_table"))
        raise _invalid(
            Path(FILE_NAME),
            f"{variable} can't be {said[variable]!r}.",
            [_SHARED_TABLE],
            f"correct {variable}, or remove it",
        )
    try:
        _ = config.smoke
    except ValueError as error:
        told = f"certify_smoke can't be {config.certify_smoke!r}."
        raise _invalid(Path(FILE_NAME), told, [f"as a command: {error}"]) from error
    return msgspec.structs.replace(
        project,
        config=config,
        variables=given,
        strange=tuple(name for name, _ in given if name not in said and nearest(name)),
    )


def _key_of(variable: str) -> str:
    return variable.removeprefix(PREFIX).lower()


def nearest(variable: str) -> str | None:
    """Return the variable that a mistyped name may mean."""
    from difflib import get_close_matches

    known = (*Config.__struct_fields__, "database_url", "approve")
    near = get_close_matches(_key_of(variable), known, 1, 0.7)
    return PREFIX + near[0].upper() if near else None


def _value_of(variable: str, text: str) -> Any:
    """Return the value that a variable gives its key. Raises SurefootError `config-invalid`."""
    key = _key_of(variable)
    (field,) = (one for one in msgspec.structs.fields(Config) if one.name == key)
    if isinstance(getattr(Config(), key), list | dict) or key == "tenants":
        raise _invalid(
            Path(FILE_NAME),
            f"{variable} can't be given in the environment.",
            [f"{key} is a list or a table: it is written in the configuration's file"],
            f"remove {variable}, and write {key} in {FILE_NAME}",
        )
    try:
        return msgspec.convert(text, field.type, strict=False)
    except msgspec.ValidationError as error:
        what = _expected(key, str(error))
        if field.type is bool:
            what = "expected true or false"
        elif get_origin(field.type) is Literal:
            what = f"expected one of {', '.join(get_args(field.type))}"
        raise _invalid(
            Path(FILE_NAME),
            f"{variable} can't be {text!r}.",
            [what],
            f"correct {variable}, or remove it; every key: surefoot explain configuration",
        ) from error


def _expected(key: str, complaint: str) -> str:
    """Reword msgspec's complaint."""
    what = complaint.partition(" - at ")[0]
    if key in _DURATIONS:
        return 'expected a duration like "90s", "5min" or "500ms"; the units are ms, s, min and h'
    if choices := _choices(key):
        return f"expected one of {', '.join(choices)}"
    return what[0].lower() + what[1:].replace("`", "")


def _load(file: Path | None, directory: Path) -> Project:
    if file is not None:
        if not file.is_file():
            raise SurefootError(
                "config-not-found",
                f"There is no configuration file {file}.",
                database=NOT_REACHED,
                next=to_type(
                    "correct --config; or write one",
                    f"surefoot init --config {shlex.quote(str(file))}",
                ),
            )
        return _read(file, directory)
    name = configuration_file(str(directory))
    return Project(Config(), directory) if name is None else _read(Path(name), directory)


def _read(name: Path, directory: Path) -> Project:
    """Read `name`, relative to `directory`: messages use the name that the person gave."""
    file = directory / name
    try:
        text = read_file(file).decode("utf-8").replace("\r\n", "\n")
        document = tomllib.loads(text)
    except IsADirectoryError as error:
        raise _invalid(
            name,
            f"{name} is a directory.",
            ["a container engine creates a directory if the file to be mounted doesn't exist"],
            f"remove the directory {file.absolute()} on the host, and put the file in its place",
        ) from error
    except RecursionError as error:
        raise _invalid(name, f"{name} can't be read as TOML.", ["it is nested too deep"]) from error
    except (ValueError, OSError) as error:  # not TOML, not UTF-8, a number of 5,000 digits
        raise _invalid(name, f"{name} can't be read as TOML.", [str(error)]) from error
    prefix = ""
    if file.name != FILE_NAME and "tool" in document:
        prefix = "tool.surefoot."
        tool: Any = document["tool"]
        own: Any = cast("dict[str, Any]", tool).get("surefoot", {}) if isinstance(tool, dict) else 0
        if not isinstance(own, dict):
            raise _invalid(name, f"{name}: tool.surefoot is not a table.", [])
        document = cast("dict[str, Any]", own)
    for key in document:
        if key not in Config.__struct_fields__:
            raise _unknown_key(name, text, prefix, key)
    try:
        config = msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        raise _wrong_value(name, text, prefix, document, str(error)) from error
    for variable, wanted in config.url_variables.items():
        if wanted not in PARTS and not wanted.startswith("postgres"):
            raise _invalid(
                name,
                f"{name}{_line(text, variable)}: {prefix}url_variables.{variable} can't be "
                f"{wanted!r}.",
                [f"expected a scheme like postgresql+asyncpg, or one of {', '.join(PARTS)}"],
            )
    if config.former_init and not config.init:
        raise _invalid(
            name,
            f"{name}{_line(text, 'former_init')}: {prefix}former_init needs {prefix}init.",
            ["former scripts stand for the revision that the init scripts stand for"],
        )
    _check_origins(name, text, prefix, config)
    _check_tenants(name, text, prefix, config)
    return Project(config, file.parent.absolute(), file, tuple(document))


def _check_tenants(name: Path, text: str, prefix: str, config: Config) -> None:
    """Raises SurefootError `config-invalid` where env.py doesn't learn the tenant's name."""
    tenants = config.tenants
    if tenants is None:
        return
    where = f"{name}{_line(text, 'tenants')}: {prefix}tenants"
    if isinstance(tenants.schemas, str) and not tenants.schemas.startswith(("sql:", "command:")):
        raise _invalid(
            name,
            f"{where}.schemas can't be {tenants.schemas!r}.",
            ['expected a list of names, "sql:select …" or "command:…"'],
        )
    ways = (tenants.argument, tenants.variable, tenants.attribute, tenants.search_path)
    if not any(ways):
        raise _invalid(
            name,
            f"{where}: env.py isn't told the tenant's name.",
            ['expected argument = "tenant={}", variable, attribute, or search_path = "{}"'],
        )
    for key in ("argument", "search_path"):
        value = getattr(tenants, key)
        if value is not None and "{}" not in value:
            raise _invalid(
                name, f"{where}.{key} can't be {value!r}.", ["{} stands for the tenant's schema"]
            )
    if _is_shared(config):
        raise _invalid(
            name,
            f"{name}{_line(text, 'version_table_schema')}: {prefix}version_table_schema can't be "
            f"{config.version_table_schema!r}.",
            [_SHARED_TABLE],
        )
    if config.origins or config.former_init:
        raise _invalid(
            name,
            f"{where} can't be combined with {'origins' if config.origins else 'former_init'}.",
            ["a tenant's schema is made by the history, or by the init scripts"],
        )


_SHARED_TABLE = (
    "each tenant has a version table of its own, in its schema, or with a name in which {} stands "
    'for the schema: version_table = "alembic_version_{}"'
)


def _is_shared(config: Config) -> bool:
    """Whether all tenants would have one version table."""
    if config.tenants is None or config.version_table_schema is None:
        return False
    return "{}" not in config.version_table_schema + (config.version_table or "")


def is_origin_name(name: str) -> bool:
    """Whether this can be an origin's name, which is a path's name in the catalogue's file."""
    return re.fullmatch(r"\w[\w.-]*", name) is not None


def _check_origins(name: Path, text: str, prefix: str, config: Config) -> None:
    """Raise SurefootError `config-invalid` if an origin says too little or too much."""
    seen: set[str] = set()
    for origin in config.origins:
        where = f"{name}{_line(text, 'origins')}: {prefix}origins"
        if (origin.create is None) == (not origin.scripts):
            raise _invalid(
                name,
                f"{where}: an origin needs either create or scripts.",
                ['create = "package.module:metadata", or scripts = ["sql/1.4.sql"]'],
            )
        if origin.create is not None and not re.fullmatch(r"[\w.]+:[\w.]+", origin.create):
            raise _invalid(
                name,
                f"{where}: create can't be {origin.create!r}.",
                ['it is a name in a module: "package.module:metadata"'],
            )
        if not is_origin_name(origin.called) or origin.called in seen:
            what = "there twice" if origin.called in seen else "no name"
            raise _invalid(
                name,
                f"{where}: {origin.called!r} is {what}.",
                ["a name has letters, digits, and the signs . _ -"],
                f"give each origin a name of its own in {name.name}",
            )
        seen.add(origin.called)


def _unknown_key(file: Path, text: str, prefix: str, key: str) -> SurefootError:
    from difflib import get_close_matches

    if key in ("url", "database", "database_url", "dsn"):
        return _invalid(
            file,
            f"{file}{_line(text, key)}: there is no key {prefix}{key}.",
            ["the database's address doesn't belong in this file, which many people can read"],
            "give it as --database-url, SUREFOOT_DATABASE_URL, DATABASE_URL, POSTGRES_HOST … or "
            "PGHOST …",
        )
    if key == "tool" and file.name == FILE_NAME:
        return _invalid(
            file,
            f"{file}{_line(text, key)}: there is no table [tool.surefoot] in {FILE_NAME}.",
            [f"in {FILE_NAME} the keys have no table; in pyproject.toml they have one"],
            f"delete the line [tool.surefoot] in {file}",
        )
    near = get_close_matches(key, Config.__struct_fields__, 1)
    return _invalid(
        file,
        f"{file}{_line(text, key)}: there is no key {prefix}{key}.",
        [f"the nearest valid key is {near[0]}"] if near else [],
        f"write {near[0]} instead of {key}" if near else None,
    )


def _wrong_value(
    file: Path, text: str, prefix: str, document: dict[str, Any], complaint: str
) -> SurefootError:
    """Return the error for a wrong value, with its line, key and value.

    msgspec says only "Expected `str`, got `int` - at `$.alembic`".
    """
    _, _, where = complaint.partition(" - at ")
    steps = re.findall(r"\.(\w+)|\[(\d+)\]", where)
    value: Any = document
    for name, index in steps:
        value = value[int(index)] if index else value.get(name)
    path = where.strip("`").removeprefix("$.")
    key = steps[0][0] if steps else ""
    what = _expected(key, complaint)
    if key in ("init", "former_init", "seeds") and not isinstance(value, list) and "array" in what:
        what = f'expected a list, as in {key} = ["sql/{key}.sql"]'
    elif "unknown field" in what:
        what = "a script has the keys path and search_path only"
    return _invalid(
        file,
        f"{file}{_line(text, key)}: {prefix}{path} can't be {value!r}.",
        [what],
    )


def _choices(key: str) -> list[str]:
    """Return a key's possible values as TOML; none if they aren't a fixed set."""
    import typing

    hint = typing.get_type_hints(Config).get(key)
    if typing.get_origin(hint) is not Literal:
        return []
    return [f'"{value}"' for value in typing.get_args(hint)]


def _line(text: str, key: str) -> str:
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*(\[+[\w.]*)?\"?{re.escape(key)}\b", line):
            return f":{number}"
    return ""


def _invalid(
    file: Path, message: str, seen: list[str], next_step: str | None = None
) -> SurefootError:
    return SurefootError(
        "config-invalid",
        message,
        seen=seen,
        database=NOT_REACHED,
        next=next_step or f"correct {file.name}; every key: surefoot explain configuration",
    )
