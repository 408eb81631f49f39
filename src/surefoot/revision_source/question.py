"""Suggest a question to the data that shows whether a revision has run. Pure."""

import ast
import re

_WHERE = r"\s+where\s+(.+?)\s*;?\s*\Z"
_NAMED = r"(?:only\s+)?([\w.\"]+)"
_FLAGS = re.IGNORECASE | re.DOTALL
_UPDATE = re.compile(rf"\s*update\s+{_NAMED}\s+set\s+.+?{_WHERE}", _FLAGS)
_DELETE = re.compile(rf"\s*delete\s+from\s+{_NAMED}{_WHERE}", _FLAGS)
# A condition with another table or a parameter can't be asked alone.
_MORE = re.compile(r"\b(?:from|select|returning|using)\b|[:%]\(?\w|\{|--", re.IGNORECASE)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def suggested_question(text: str) -> str:
    """Return a question that is true once the revision of this source has run; "" if there is none.

    There is one if upgrade() executes one literal UPDATE or DELETE with a WHERE: afterwards no row
    fulfils it. It is a suggestion for a person to accept: an UPDATE may leave its own condition
    true.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    upgrade = next(
        (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "upgrade"), None
    )
    statements = [s for s in upgrade.body if not _says_nothing(s)] if upgrade else []
    if len(statements) != 1:
        return ""
    sql = _executed(statements[0])
    if ";" in _QUOTED.sub("", sql).rstrip().removesuffix(";"):
        return ""  # several statements
    for pattern in (_UPDATE, _DELETE):
        if (found := pattern.match(sql)) and not _MORE.search(sql[found.end(1) :]):
            condition = " ".join(found[2].split())
            return f"select not exists (select from {found[1]} where {condition})"  # noqa: S608
    return ""


def _says_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _executed(statement: ast.stmt) -> str:
    """Return the literal that is given to op.execute(), perhaps within text()."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    if not (isinstance(value, ast.Call) and ast.unparse(value.func).endswith("execute")):
        return ""
    found: ast.expr | None = value.args[0] if len(value.args) == 1 else None
    if isinstance(found, ast.Call) and ast.unparse(found.func).endswith("text") and found.args:
        found = found.args[0]
    literal = found.value if isinstance(found, ast.Constant) else None
    return literal if isinstance(literal, str) else ""
