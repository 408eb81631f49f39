"""What a revision's module defines apart from its upgrade(): imports, constants, functions.

Pure.
"""

import ast
from collections.abc import Iterator

from surefoot.revision_source.values import Doubtful, Names, value


def define(
    tree: ast.Module, names: Names, functions: dict[str, ast.FunctionDef]
) -> Iterator[tuple[ast.stmt, str]]:
    """Fill `names` and `functions` with what upgrade() finds when it is called.

    Returns the statements after which that is uncertain, each with the reason if it isn't plain
    ("").
    """
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name):
                if name in functions or name in names:
                    yield node, f"{name} is defined twice"
                names.forget(name)
                functions[name] = node
            case ast.Import() | ast.ImportFrom():
                for doubt in imported(node, names):
                    yield doubt, ""
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=given)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as given)
            ):
                if name in functions or names.is_module(name):
                    yield node, f"{name} is made something else"
                names.forget(name)
                try:
                    names[name] = value(given, names)
                except Doubtful:
                    names.forget(name)
            case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.AnnAssign(value=None):
                pass
            case _:
                yield from _bound(node, names, functions)


def _bound(
    node: ast.stmt, names: Names, functions: dict[str, ast.FunctionDef]
) -> Iterator[tuple[ast.stmt, str]]:
    """Forget the names in any other statement.

    It may bind them, or change what they stand for (`STEPS.append(…)`).
    """
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            if names.is_module(inner.id) or inner.id in functions:
                yield node, f"{inner.id} may be made something else"
            names.forget(inner.id)
        elif isinstance(inner, ast.Import | ast.ImportFrom | ast.FunctionDef) or (
            isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store)
        ):
            yield node, ""


def imported(node: ast.Import | ast.ImportFrom, names: Names) -> Iterator[ast.stmt]:
    """Fill `names` with what an import defines; returns the import if that is uncertain."""
    for alias in node.names:
        if alias.name == "*":
            yield node
        elif isinstance(node, ast.Import):
            first = alias.name.split(".")[0]
            names.module(alias.asname or first, alias.name if alias.asname else first)
        else:
            within = "." * node.level + (node.module or "")
            names.module(alias.asname or alias.name, f"{within}.{alias.name}")
