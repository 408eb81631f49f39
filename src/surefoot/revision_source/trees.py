"""Hash what a revision does: its syntax tree, and those of the modules that it imports.

Comments, docstrings and layout don't count. The form is surefoot's own, not `ast.dump`: each
version of Python adds fields to the tree, and a catalogue is made by one version and read by
another. A file that can't be parsed counts with its bytes.
"""

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from surefoot.model.history import History, Revision

# Fields that don't affect what the code does, or that only some versions have.
_LEFT_OUT = frozenset(("ctx", "kind", "type_comment", "type_ignores", "lineno", "col_offset"))
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_INSTALLED = frozenset(("site-packages", "dist-packages", ".venv", "venv", "node_modules"))


class Trees:
    """Hashes of a project's revisions; each module's file is read once."""

    def __init__(self, root: Path, path: Iterable[str] | None = None) -> None:
        """`root` is the project's; `path` is where modules are found, usually `sys.path`."""
        self._root = root.resolve()
        self._path = [Path(p or ".") for p in (sys.path if path is None else path)]
        self._files: dict[str, Path | None] = {}
        self._modules: dict[Path, tuple[str, frozenset[str]]] = {}

    def of(self, file: Path, known: Iterable[str] = ()) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Return the hash of a revision's file, and the modules that it imports, each with its
        bytes' hash.

        `known` are modules that count as the project's, wherever they are installed. Raises
        OSError.
        """
        own, imported = self._read(file, "")
        found: dict[str, str] = {}
        todo = sorted(imported)
        while todo:
            name = todo.pop()
            module = self._find(name)
            if name in found or module is None:
                continue
            if name not in known and not self._is_own(module):
                continue
            form, further = self._read(module, _package(name, module))
            found[name] = form
            todo += sorted(further)
        whole = hashlib.sha256(own.encode())
        for name in sorted(found):
            whole.update(f"\n{name} {found[name]}".encode())
        return whole.hexdigest(), tuple((name, self.bytes_of(name)) for name in sorted(found))

    def bytes_of(self, name: str) -> str:
        """Return the hash of a module's bytes; "" if there is no such module."""
        file = self._find(name)
        try:
            return "" if file is None else bytes_hash(file.read_bytes())
        except OSError:
            return ""

    def _is_own(self, file: Path) -> bool:
        resolved = file.resolve()
        if not resolved.is_relative_to(self._root):
            return False
        return not _INSTALLED.intersection(resolved.relative_to(self._root).parts)

    def _find(self, name: str) -> Path | None:
        """Find a module's file, without running any code."""
        if name not in self._files:
            below = Path(*name.split("."))
            candidates = (
                directory / file
                for directory in self._path
                for file in (below / "__init__.py", below.with_name(f"{below.name}.py"))
            )
            self._files[name] = next((f for f in candidates if f.is_file()), None)
        return self._files[name]

    def _read(self, file: Path, package: str) -> tuple[str, frozenset[str]]:
        """Return the hash of a file's tree, and the modules that it imports."""
        if file not in self._modules:
            text = file.read_bytes()
            try:
                tree = ast.parse(text)
            except (SyntaxError, ValueError, RecursionError):
                self._modules[file] = bytes_hash(text), frozenset()
            else:
                imported = frozenset(_imports(tree, package))
                self._modules[file] = tree_hash(tree, documented=b"__doc__" in text), imported
        return self._modules[file]


def bytes_hash(text: bytes) -> str:
    return hashlib.sha256(text.replace(b"\r\n", b"\n")).hexdigest()


def _package(name: str, file: Path) -> str:
    return name if file.name == "__init__.py" else name.rpartition(".")[0]


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Return each module that is imported anywhere in the file, with its packages."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parts = package.split(".") if package else []
                if not parts or node.level > len(parts):
                    continue
                base = ".".join(parts[: len(parts) - node.level + 1])
                module = f"{base}.{module}" if module else base
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def tree_hash(tree: ast.AST, *, documented: bool = False) -> str:
    """Return the hash of a syntax tree. `documented`: its docstrings are used, so they count."""
    found: list[str] = []
    _write(tree, found, documented=documented)
    return hashlib.sha256("".join(found).encode("utf-8", "surrogatepass")).hexdigest()


def _write(value: Any, out: list[str], *, documented: bool) -> None:
    match value:
        case ast.Constant(value=constant):
            out.append(f"({type(constant).__name__} {_constant(constant)})")
        case ast.AST():
            out.append(f"({type(value).__name__}")
            for field in sorted(value._fields):
                content: Any = getattr(value, field, None)
                if field in _LEFT_OUT:
                    continue
                if field == "body" and isinstance(value, _DOCUMENTED) and not documented:
                    content = _without_docstring(content)
                if isinstance(value, ast.JoinedStr) and field == "values":
                    content = _joined(content)
                if isinstance(content, ast.JoinedStr) and not _joined(content.values):
                    continue  # an empty format, which only some versions have
                if content is None or content == []:
                    continue
                out.append(f" {field}=")
                _write(content, out, documented=documented)
            out.append(")")
        case list():
            out.append("[")
            for item in cast("list[Any]", value):
                _write(item, out, documented=documented)
            out.append("]")
        case _:
            out.append(repr(value))


def _constant(value: Any) -> str:
    return hex(value) if type(value) is int else repr(value)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
        case _:
            return body


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """Return the parts of an f-string in the same form for every version: no empty or adjacent
    texts.
    """
    found: list[ast.expr] = []
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            last = found[-1] if found else None
            if not value.value:
                continue
            if isinstance(last, ast.Constant) and isinstance(last.value, str):
                found[-1] = ast.Constant(last.value + value.value)
                continue
        found.append(value)
    return found


def with_trees(code: History, catalogued: History, files: dict[str, Path], trees: Trees) -> History:
    """Add the trees' hashes to the code's history, for comparison with a catalogue's.

    Only files that differ from the catalogue's in any byte are parsed.
    """

    def revision(now: Revision) -> Revision:
        then, file = catalogued.revisions.get(now.id), files.get(now.id)
        if now.tree is not None or then is None or then.tree is None or file is None:
            return now
        same = now.sha256 == then.sha256
        if same and all(trees.bytes_of(name) == sha256 for name, sha256 in then.uses):
            return msgspec.structs.replace(now, tree=then.tree, uses=then.uses)
        tree, uses = trees.of(file, [name for name, _ in then.uses])
        return msgspec.structs.replace(now, tree=tree, uses=uses)

    return History({id: revision(now) for id, now in code.revisions.items()})
