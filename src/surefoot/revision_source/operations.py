"""Alembic's operations that change only the structure, and their subjects. Pure."""

import ast
from typing import Any

from surefoot.revision_source.source import Creation, Kind
from surefoot.revision_source.statement import Sql, is_mere_cast
from surefoot.revision_source.values import Construct, Doubtful

# Each with its kind, and the positions of its table and its name among the arguments.
OPERATIONS: dict[str, Kind] = {
    "create_table": "relation",
    "drop_table": "relation",
    "rename_table": "relation",
    "add_column": "column",
    "drop_column": "column",
    "alter_column": "column",
    "create_index": "index",
    "drop_index": "index",
    "create_foreign_key": "constraint",
    "create_primary_key": "constraint",
    "create_unique_constraint": "constraint",
    "create_check_constraint": "constraint",
    "create_exclude_constraint": "constraint",
    "drop_constraint": "constraint",
    "create_table_comment": "",
    "drop_table_comment": "",
}
# surefoot's guards, which ask, and continue or stop.
_GUARDS = frozenset(("require_table", "require_columns", "require_unique"))


def operation(
    on: Construct, method: str, given: list[Any], named: dict[str | None, Any], call: ast.Call
) -> Sql:
    """Return the effect of `op.METHOD(…)` or `batch_op.METHOD(…)`.

    Raises Doubtful for other methods.
    """
    if method in _GUARDS:
        return Sql()
    if method not in OPERATIONS or any(isinstance(a, ast.Starred) for a in call.args):
        raise Doubtful(call)
    if on.name == "batch" and method not in ("create_table", "drop_table", "rename_table"):
        # a batch's operations leave out their table
        given = [*given[:1], on.given[0], *given[1:]] if _behind(method) else [on.given[0], *given]
    using = named.get("postgresql_using")
    if using is not None and not (isinstance(using, str) and is_mere_cast(using.lower())):
        raise Doubtful(call)
    kind, unseen = OPERATIONS[method], False
    if _has_comment([*given, *named.values()]) or "comment" in named:
        kind, unseen = "", True  # a comment isn't a fact: its creation can't be seen
    return Sql(
        kind,
        _about(method, given, named),
        drops=method.startswith("drop_"),
        passes_over=named.get("if_not_exists") is True or named.get("if_exists") is True,
        renames=method == "rename_table" or "new_column_name" in named or "name" in named,
        defaults=method == "alter_column" and "server_default" in named,
        unseen=unseen or kind == "",
        schema=str(named.get("schema") or ""),
        makes=_creations(method, given, named),
    )


def _creations(method: str, given: list[Any], named: dict[str | None, Any]) -> tuple[Creation, ...]:
    """Return what it creates, with the enums of a table; nothing if it skips existing objects."""
    if not method.startswith(("create_", "add_")) or named.get("if_not_exists") is True:
        return ()
    names, schema = _about(method, given, named), str(named.get("schema") or "")
    match OPERATIONS[method]:
        case "relation" if names:
            return (*_enums([*given, *named.values()]), Creation("table", names[0], schema))
        case "column" if names:
            return (Creation("column", names[1], schema, names[0]),)
        case "index" if names:
            return (Creation("index", names[-1], schema),)
        case "constraint" if names:
            return (Creation("constraint", names[1], schema, names[0]),)
        case _:
            return ()


def _enums(values: list[Any]) -> tuple[Creation, ...]:
    """Return the enum types that columns of these create with their table."""
    found: list[Creation] = []
    for one in values:
        if not isinstance(one, Construct):
            continue
        name = one.named.get("name")
        if not one.is_enum:
            found += _enums([*one.given, *one.named.values()])
        elif isinstance(name, str) and one.named.get("create_type", True) is True:
            found.append(Creation("type", name, str(one.named.get("schema") or "")))
    return tuple(dict.fromkeys(found))


def _behind(method: str) -> bool:
    """Whether the name comes first, and the table after it."""
    return OPERATIONS[method] in ("index", "constraint")


def _about(method: str, given: list[Any], named: dict[str | None, Any]) -> tuple[str, ...]:
    """Return the table, and the name within it; nothing if the source computes them."""

    def argument(position: int, *names: str) -> Any:
        if len(given) > position:
            return given[position]
        return next((named[name] for name in names if name in named), None)

    names: tuple[Any, ...] = ()
    match OPERATIONS[method]:
        case "relation":
            names = (argument(0, "table_name", "old_table_name"),)
            if method == "rename_table":
                names = (argument(1, "new_table_name"),)
        case "column":
            column = argument(1, "column", "column_name")
            if isinstance(column, Construct):
                column = column.given[0] if column.given else column.named.get("name")
            if method == "alter_column":
                column = named.get("new_column_name", named.get("name", column))
            names = (argument(0, "table_name"), column)
        case "index":
            table = argument(1, "table_name")
            names = (*((table,) if table is not None else ()), argument(0, "index_name"))
        case "constraint":
            names = (argument(1, "table_name", "source_table"), argument(0, "constraint_name"))
        case _:
            pass
    return names if all(isinstance(name, str) for name in names) else ()


def _has_comment(values: list[Any]) -> bool:
    return any(
        isinstance(v, Construct) and ("comment" in v.named or _has_comment([*v.given]))
        for v in values
    )
