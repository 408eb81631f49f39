"""Guards for the authors of revisions: importing this module teaches them to Alembic's `op`.

    import surefoot.guards

    op.require_table("characters")
    op.require_columns("personality_traits", ["character_id", "trait_name"])
    op.require_unique("personality_traits", ["character_id", "trait_name"])

Each returns True where it holds. Where it doesn't, it raises RequirementNotMet, or, with
`otherwise="skip"`, says so and returns False. They need nothing of surefoot's but this module, and
work under plain `alembic upgrade`. docs/guides/guards.md describes them.
"""

import difflib
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import sqlalchemy
from alembic.operations import MigrateOperation, Operations
from alembic.util import CommandError

from surefoot.sql import query

NOTICE = "surefoot.notice"
"""The key in `Config.attributes` of a function that gets a notice of what is skipped."""

_TABLES = {"r", "p", "f"}
_OTHERS = {"v": "view", "m": "materialized view", "S": "sequence", "i": "index", "c": "type"}


class Lack(msgspec.Struct, frozen=True):
    """What isn't as required, what exists instead, and what to do about it.

    `statements` are those of the remedy, each complete; `otherwise` is what to do if that isn't the
    problem.
    """

    what: str
    seen: tuple[str, ...]
    remedy: str
    statements: tuple[str, ...] = ()
    otherwise: str = ""


class RequirementNotMet(CommandError):
    """The database isn't as the revision requires; `lack` gives the details.

    `alembic` prints a CommandError as one line, without a traceback.
    """

    def __init__(self, lack: Lack) -> None:
        self.lack = lack
        cure = f"{lack.remedy}: {' '.join(lack.statements)}" if lack.statements else lack.remedy
        otherwise = (lack.otherwise,) if lack.otherwise else ()
        super().__init__(_sentences(lack.what, *lack.seen, f"to continue, {cure}", *otherwise))


# Annotations of built-in types only: old Alembics write the signature into code that they run.
@Operations.register_operation("require_table")
@Operations.register_operation("require_columns")
@Operations.register_operation("require_unique")
class RequireOp(MigrateOperation):
    """One requirement: a table, columns of it, or (`unique`) that these columns are unique."""

    def __init__(
        self,
        table: str,
        columns: Iterable[str],
        schema: str | None,
        otherwise: str,
        *,
        unique: bool = False,
    ) -> None:
        if isinstance(columns, str):
            raise TypeError(f"the columns are a list of names: [{columns!r}]")
        if otherwise not in ("fail", "skip"):
            raise ValueError(f'otherwise is "fail" or "skip", not {otherwise!r}')
        self.table, self.schema, self.unique = table, schema, unique
        self.columns = tuple(dict.fromkeys(columns))
        self.skips = otherwise == "skip"

    @classmethod
    def require_table(
        cls, operations: Any, table_name: str, schema: str | None = None, otherwise: str = "fail"
    ) -> bool:
        """Whether the table exists. Raises RequirementNotMet, unless `otherwise="skip"`."""
        return operations.invoke(cls(table_name, (), schema, otherwise))

    @classmethod
    def require_columns(
        cls,
        operations: Any,
        table_name: str,
        columns: list[str],
        schema: str | None = None,
        otherwise: str = "fail",
    ) -> bool:
        """Whether the table has these columns, and perhaps more.

        Raises RequirementNotMet, unless `otherwise="skip"`.
        """
        return operations.invoke(cls(table_name, columns, schema, otherwise))

    @classmethod
    def require_unique(
        cls,
        operations: Any,
        table_name: str,
        columns: list[str],
        schema: str | None = None,
        otherwise: str = "fail",
    ) -> bool:
        """Whether ON CONFLICT may name exactly these columns, in any order.

        That is: a unique index or constraint that is valid, holds for every row, and isn't
        deferrable. Raises RequirementNotMet, unless `otherwise="skip"`.
        """
        if not columns:
            raise ValueError("the columns are missing")
        return operations.invoke(cls(table_name, columns, schema, otherwise, unique=True))


@Operations.implementation_for(RequireOp)
def _require(operations: Any, required: RequireOp) -> bool:
    context = operations.migration_context
    question = _Question(required, context.dialect.identifier_preparer.quote)
    if context.as_sql:  # there is no database to ask
        context.impl.static_output(f"-- {' '.join(question.text().split())}")
        return True
    if context.dialect.name != "postgresql":
        raise CommandError(f"surefoot.guards asks PostgreSQL; this is {context.dialect.name}")
    lack = question.lack(context.connection)
    if lack is None:
        return True
    if not required.skips:
        raise RequirementNotMet(lack)
    _tell(context, _sentences(f"skipped, since {lack.what}", *lack.seen))
    return False


def _tell(context: Any, text: str) -> None:
    """Report through surefoot if it is running, otherwise through logging."""
    notice = context.config.attributes.get(NOTICE) if context.config is not None else None
    if notice is not None:
        notice(text)
        return
    logger = logging.getLogger("surefoot.guards")
    logger.disabled = False  # a fileConfig() in env.py disables existing loggers
    logger.warning("%s", text)


class _Question:
    """A requirement, with its names quoted for SQL."""

    def __init__(self, required: RequireOp, quote: Callable[[str], str]) -> None:
        self._required = required
        self._quote = quote

    def text(self) -> str:
        """Return the requirement in words."""
        required = self._required
        name = self._name(required.schema, required.table)
        columns = f"({self._list(required.columns)})"
        if required.unique:
            return f"requires a unique index or constraint on {name} {columns}"
        return f"requires table {name} {columns}" if required.columns else f"requires table {name}"

    def lack(self, connection: Any) -> Lack | None:
        """Return what isn't as required; None if everything is."""
        required = self._required
        asked = {"schema": required.schema, "table": required.table}
        found = _rows(connection, "guard_table", asked)
        if not found:
            return self._no_table(connection)
        kind, schema, table, columns = found[0]
        name = self._name(schema, table)
        if kind not in _TABLES:
            other = _OTHERS.get(kind, "relation")
            return Lack(f"{other} {name} is not a table", (), f"find out who made the {other}")
        missing = [column for column in required.columns if column not in columns]
        if missing:
            return self._no_columns(name, missing, columns)
        if required.unique:
            asked = {"schema": schema, "table": table}
            return self._not_unique(name, schema, _rows(connection, "guard_unique", asked))
        return None

    def _no_table(self, connection: Any) -> Lack:
        required = self._required
        ((path, tables),) = _rows(connection, "guard_tables", {})
        # its own name first: in another schema
        names = dict.fromkeys([required.table, *_near(required.table, (t for _, t in tables))])
        near = [self._name(schema, table) for name in names for schema, table in tables
                if table == name]  # fmt: skip
        where = f"schema {self._quote(required.schema)}" if required.schema else "the search path"
        seen = [] if required.schema else [f"the search path is {path}"]
        seen.append(f"near: {', '.join(near[:5])}" if near else "no table has a name like it")
        return Lack(
            f"there is no table {self._quote(required.table)} in {where}",
            tuple(seen),
            f"see whether {near[0]} is that table, renamed or moved, and put it back"
            if near
            else "create the table again, as the revision that creates it defines it",
        )

    def _no_columns(self, name: str, missing: list[str], columns: list[str]) -> Lack:
        near = {c: found for c in missing if (found := _near(c, set(columns) - set(missing)))}
        lines = [f"near {self._quote(c)}: {self._list(found)}" for c, found in near.items()]
        noun = "column" if len(missing) == 1 else "columns"
        what = f"table {name} has no {noun} {self._list(missing)}"
        seen = (f"it has {self._list(columns)}", *lines)
        remedy = f"add the {noun}, as the revision that creates the table defines it"
        if not near:
            return Lack(what, seen, remedy)
        renamed = [(self._quote(found[0]), self._quote(column)) for column, found in near.items()]
        return Lack(
            what,
            seen,
            f"if {' and '.join(f'{old} is {new}' for old, new in renamed)} under another name, "
            "rename it",
            tuple(f"alter table {name} rename column {old} to {new};" for old, new in renamed),
            f"otherwise {remedy}",
        )

    def _not_unique(self, name: str, schema: str, indexes: list[Any]) -> Lack | None:
        wanted = set(self._required.columns)
        seen: list[str] = []
        again: list[str] = []
        for index, columns, keys, expressions, condition, valid, immediate in indexes:
            on_these = not expressions and set(columns) == wanted
            if on_these and condition is None and valid and immediate:
                return None
            line = f"{self._quote(index)} ({', '.join(keys)})"
            if condition is not None:
                line += f" where {condition}: not for every row"
            elif not valid:
                line += ": not valid, its creation was interrupted"
                if on_these:
                    again.append(f"drop index {self._name(schema, index)};")
            elif not immediate:
                line += ": deferrable, which ON CONFLICT can't use"
            seen.append(line)
        columns = self._list(self._required.columns)
        there = f"unique in it: {'; '.join(seen)}" if seen else "no unique index or constraint"
        return Lack(
            f"table {name} has no unique index or constraint on exactly ({columns})",
            (there,),
            "remove duplicates, if there are any (the first statement shows them), and make a "
            "unique index",
            (
                # for people to run; it is not executed here
                f"select {columns}, count(*) from {name} group by {columns} having count(*) > 1;",  # noqa: S608
                *again,
                f"create unique index on {name} ({columns});",
            ),
        )

    def _name(self, schema: str | None, table: str) -> str:
        return ".".join(self._quote(part) for part in (schema, table) if part is not None)

    def _list(self, names: Iterable[str]) -> str:
        return ", ".join(self._quote(name) for name in names)


def _rows(connection: Any, name: str, asked: dict[str, str | None]) -> list[Any]:
    statement = re.sub(r"%\((\w+)\)s", r":\1", query(name))
    return list(connection.execute(sqlalchemy.text(statement), asked))


def _sentences(*texts: str) -> str:
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in texts)


def _near(name: str, names: Iterable[str]) -> list[str]:
    """Return the names that resemble this one, whatever their case; the nearest first."""
    lower: dict[str, str] = {}
    for other in names:
        lower.setdefault(other.lower(), other)
    return [lower[found] for found in difflib.get_close_matches(name.lower(), lower, 3, 0.7)]
