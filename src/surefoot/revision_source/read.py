"""Read what a revision's upgrade() does from its source, without running it. Pure.

A tiny interpreter that knows literals, SQLAlchemy's constructs and Alembic's operations, and
nothing else: it unrolls loops over literals, and follows functions of the same file. Anything else
is a doubt, with its line. So without doubts, the upgrade changes only the structure.
"""

import ast
import re
from typing import Any

from surefoot.errors.masking import masked
from surefoot.revision_source.definitions import define, imported
from surefoot.revision_source.operations import OPERATIONS, operation
from surefoot.revision_source.source import Creation, Doubt, Source, Statement
from surefoot.revision_source.statement import UNKNOWN, Sql, structural
from surefoot.revision_source.values import (
    BIND,
    CONTEXT,
    UNKNOWN_VALUE,
    Construct,
    Doubtful,
    Names,
    elements,
    value,
)

_DEPTH = 8  # functions that call functions
_MANY = 2_000  # statements; nobody writes a longer list by hand
_LONGEST = 100
_PASSWORD = re.compile(r"(\bpassword\b\W{0,6}?)'[^']*'", re.IGNORECASE)


def read_upgrade(text: str, file: str, *, resumable: bool = False) -> Source:
    """Return what the upgrade() of this source does.

    `file` is its name, for messages; `resumable`: as its author declares.
    """
    reader = _Reader(text)
    reader.read()
    return Source(
        file,
        tuple(reader.statements),
        tuple(dict.fromkeys(reader.doubts)),
        resumable,
        renames=reader.renames,
        defaults=reader.defaults,
    )


class _Returned(Exception):
    """A function reached its `return`."""


class _Reader:
    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._text = text
        self.statements: list[Statement] = []
        self.doubts: list[Doubt] = []
        self.renames = self.defaults = False
        self._functions: dict[str, ast.FunctionDef] = {}
        self._depth = 0

    def read(self) -> None:
        try:
            tree = ast.parse(self._text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            self.doubts.append(Doubt(1, "it can't be parsed"))
            return
        names = Names()
        for node, why in define(tree, names, self._functions):
            self._doubt(node, why)
        upgrade = self._functions.get("upgrade")
        if upgrade is None or upgrade.args.args or upgrade.decorator_list:
            self.doubts.append(Doubt(1, "it has no plain upgrade()"))
            return
        try:
            self._function(upgrade, names)
        except RecursionError:  # an expression of a thousand parts
            self._doubt(upgrade, "it can't be followed")

    def _doubt(self, node: ast.AST, text: str = "") -> None:
        line = getattr(node, "lineno", 1)
        self.doubts.append(Doubt(line, text or self._line(line)))

    def _line(self, number: int) -> str:
        return _cut(self._lines[number - 1]) if number <= len(self._lines) else ""

    # --- what is run

    def _function(self, function: ast.FunctionDef, names: Names) -> None:
        self._depth += 1
        try:
            self._block(function.body, names)
        except _Returned:
            pass
        finally:
            self._depth -= 1

    def _block(self, body: list[ast.stmt], names: Names) -> None:
        for node in body:
            if len(self.statements) > _MANY:
                self._doubt(node, "more statements than can be followed")
                raise _Returned
            try:
                self._run(node, names)
            except Doubtful as doubt:
                self._doubt(doubt.node if doubt.node is not None else node)

    def _run(self, node: ast.stmt, names: Names) -> None:
        match node:
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case ast.Expr(value=ast.Call() as call):
                self._call(call, names)
            case ast.Import() | ast.ImportFrom():
                for doubt in imported(node, names):
                    self._doubt(doubt)
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=given)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as given)
            ):
                names[name] = self._assigned(given, names)
            case ast.With(items=[item]):
                self._with(node, item, names)
            case ast.For(orelse=[]):
                self._for(node, names)
            case ast.If():
                test = value(node.test, names)
                if not isinstance(test, bool):
                    raise Doubtful(node)
                self._block(node.body if test else node.orelse, names)
            case ast.Return(value=None | ast.Constant(value=None)):
                raise _Returned
            case _:
                raise Doubtful(node)

    def _assigned(self, given: ast.expr, names: Names) -> Any:
        if isinstance(given, ast.Call) and self._is_operation(given, names):
            self._call(given, names)  # op.create_table() returns the table
            return UNKNOWN_VALUE
        return value(given, names)

    def _is_operation(self, call: ast.Call, names: Names) -> bool:
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in OPERATIONS:
            return False
        return value(call.func.value, names) == Construct("alembic.op")

    def _with(self, node: ast.With, item: ast.withitem, names: Names) -> None:
        match item.context_expr:
            case ast.Call(func=ast.Attribute(value=on, attr="autocommit_block"), args=[]):
                if value(on, names) != CONTEXT:
                    raise Doubtful(node)
                inner = names
            case ast.Call(func=ast.Attribute(value=on, attr="batch_alter_table"), args=[table, *_]):
                given = {k.arg: value(k.value, names) for k in item.context_expr.keywords}
                if value(on, names) != Construct("alembic.op"):
                    raise Doubtful(node)
                if given.get("recreate", "auto") == "always" or None in given:
                    raise Doubtful(node)  # it copies the rows
                inner = Names(names)
                if isinstance(item.optional_vars, ast.Name):
                    inner[item.optional_vars.id] = Construct("batch", (value(table, names),))
            case _:
                raise Doubtful(node)
        self._block(node.body, inner)

    def _for(self, node: ast.For, names: Names) -> None:
        for one in elements(value(node.iter, names), node):
            if isinstance(node.target, ast.Name):
                names[node.target.id] = one
            elif isinstance(node.target, ast.Tuple):
                parts = elements(one, node)
                if len(parts) != len(node.target.elts):
                    raise Doubtful(node)
                for target, part in zip(node.target.elts, parts, strict=True):
                    if not isinstance(target, ast.Name):
                        raise Doubtful(node)
                    names[target.id] = part
            else:
                raise Doubtful(node)
            self._block(node.body, names)

    def _call(self, call: ast.Call, names: Names) -> None:
        match call.func:
            case ast.Name(id=name) if name in self._functions and name not in names:
                self._enter(call, self._functions[name], names)
            case ast.Name(id="print") if "print" not in names:
                for argument in call.args:
                    value(argument, names)
            case ast.Attribute(value=on, attr=method):
                self._method(call, value(on, names), method, names)
            case _:
                raise Doubtful(call)

    def _method(self, call: ast.Call, on: Any, method: str, names: Names) -> None:
        """Read a call that has an effect: an operation, SQL, the creation of an enum."""
        if not isinstance(on, Construct):
            raise Doubtful(call)
        arguments = [value(a, names) for a in call.args]
        keywords = {k.arg: value(k.value, names) for k in call.keywords}
        line = call.lineno
        if on.name == "logging.getLogger":
            return
        if None in keywords:
            raise Doubtful(call)
        if on == BIND and method in ("execute", "exec_driver_sql") and len(arguments) == 1:
            self._sql(call, arguments[0])
        elif (on == Construct("alembic.op") or on.name == "batch") and method == "execute":
            self._sql(call, arguments[0] if arguments else keywords.get("sqltext"))
        elif on.is_enum and method in ("create", "drop"):
            name = on.named.get("name")
            checked = keywords.get("checkfirst", arguments[1] if len(arguments) > 1 else True)
            makes: tuple[Creation, ...] = ()
            if method == "create" and isinstance(name, str) and checked is False:
                makes = (Creation("type", name, str(on.named.get("schema") or "")),)
            self.statements.append(Statement(line, self._line(line), makes=makes))
        elif on == Construct("alembic.op") or on.name == "batch":
            done = operation(on, method, arguments, keywords, call)
            self.renames |= done.renames
            self.defaults |= done.defaults
            self.statements.append(_statement(line, self._line(line), done))
        else:
            raise Doubtful(call)

    def _sql(self, call: ast.Call, text: Any) -> None:
        if isinstance(text, Construct) and text.name == "sqlalchemy.text" and len(text.given) == 1:
            text = text.given[0]
        if isinstance(text, Construct) and text.name.startswith("sqlalchemy.schema.Create"):
            self.statements.append(Statement(call.lineno, self._line(call.lineno)))
            return
        if not isinstance(text, str):
            raise Doubtful(call)
        done = structural(text)
        if done is None:
            self.doubts.append(Doubt(call.lineno, _cut(text)))
            return
        self.renames |= done.renames
        self.defaults |= done.defaults
        sql = text if done.unseen and UNKNOWN not in text else ""
        self.statements.append(_statement(call.lineno, _cut(text), done, sql))

    def _enter(self, call: ast.Call, function: ast.FunctionDef, names: Names) -> None:
        """Read a function of the same file, with its arguments."""
        expected = function.args
        plain = not (expected.vararg or expected.kwarg or expected.posonlyargs)
        if not plain or function.decorator_list or self._depth >= _DEPTH:
            raise Doubtful(call)
        takes = [*expected.args, *expected.kwonlyargs]
        defaults = dict(
            zip([a.arg for a in reversed(expected.args)], reversed(expected.defaults), strict=False)
        )
        defaults |= {
            a.arg: d for a, d in zip(expected.kwonlyargs, expected.kw_defaults, strict=True) if d
        }
        inner = Names(names.outermost)
        for argument in takes:
            if argument.arg in defaults:
                inner[argument.arg] = value(defaults[argument.arg], names.outermost)
        for argument, given in zip(expected.args, call.args, strict=False):
            inner[argument.arg] = value(given, names)
        for keyword in call.keywords:
            if keyword.arg is None:
                raise Doubtful(call)
            inner[keyword.arg] = value(keyword.value, names)
        if len(call.args) > len(expected.args) or any(a.arg not in inner for a in takes):
            raise Doubtful(call)
        self._function(function, inner)


def _statement(line: int, text: str, done: Sql, sql: str = "") -> Statement:
    return Statement(
        line,
        text,
        done.kind,
        done.name,
        done.drops,
        done.passes_over,
        done.unseen,
        sql,
        done.schema,
        done.makes,
    )


def _cut(text: str) -> str:
    """Return it on one line of limited length."""
    shown = " ".join(_PASSWORD.sub(r"\1'***'", masked(text)).split())
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
