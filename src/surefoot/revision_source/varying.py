"""Find what may differ between runs of a revision: a set's order, a random number."""

import ast

_MODULES = frozenset(("random", "uuid", "secrets"))
_CALLED = frozenset(("set", "frozenset", "hash", "urandom"))


def may_vary(source: bytes) -> bool:
    """Whether the source contains such a thing. It only decides how often a build looks."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return any(map(_varies, ast.walk(tree)))


def _varies(node: ast.AST) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Import(names=names):
            return any(name.name.partition(".")[0] in _MODULES for name in names)
        case ast.ImportFrom(module=module):
            return (module or "").partition(".")[0] in _MODULES
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name in _CALLED
        case _:
            return False
