"""Modules of the application that are named like modules of the standard library.

A project's root is often the first entry of sys.path, and may hold a secrets.py or a queue.py.
Under `alembic`, env.py then gets the project's module, and so must it here. But surefoot, its
dependencies and the standard library itself import lazily, and must get the standard library's,
whenever they import it. So where such names exist, and only there, an import is answered by who
asks: a finder looks where the asker's module is, and a hook in front of `import` does so for
modules that are loaded already. A name that Alembic has loaded before it runs env.py is the
standard library's for the application, too, as it is under `alembic`.

Imports nothing but what every Python has loaded.
"""

import builtins
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import FrameType, ModuleType
from typing import Any

_LIBRARY = os.path.dirname(os.path.realpath(os.__file__))
_STANDARD = [_LIBRARY, os.path.join(_LIBRARY, "lib-dynload")]
_OURS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_SUFFIXES = (".py", ".pyc", ".so", ".pyd")

_shadowed: set[str] = set()
# Modules of the standard library, by top-level name and name, that are not in sys.modules now.
_own: dict[str, dict[str, ModuleType]] = {}
_import = builtins.__import__
_of_alembic: frozenset[str] | None = None


def guard(directories: Iterable[str]) -> None:
    """Modules of these directories, which come first on sys.path, are the application's alone."""
    found = {name for directory in directories for name in _shadowing(directory)}
    new = found - _shadowed
    if not new:
        return
    if not _shadowed:
        sys.meta_path.insert(0, _Finder())
        builtins.__import__ = _answer
    _shadowed.update(new)


def guard_start() -> None:
    """The same for what is on sys.path in front of the standard library when Python has started."""
    guard(sys.path[: after_standard()])


def after_standard() -> int:
    """The place on sys.path right after the standard library."""
    last = 0
    for number, entry in enumerate(sys.path):
        if os.path.realpath(entry) in _STANDARD:
            last = number + 1
    return last


def import_for_application(name: str) -> ModuleType:
    """The module of this name that the application itself would get."""
    import importlib

    top = name.partition(".")[0]
    if top in _shadowed and not _is_alembics(top):
        _make_room(top)
        spec = PathFinder.find_spec(top) if top not in sys.modules else None
        if spec is not None:
            _load(top, spec)
    return importlib.import_module(name)


def _shadowing(directory: str) -> set[str]:
    """The names in a directory that come before the standard library's."""
    path = directory or "."
    if os.path.realpath(path) in _STANDARD:
        return set()
    try:
        entries = os.listdir(path)
    except OSError:
        return set()
    found: set[str] = set()
    for entry in entries:
        name = entry.partition(".")[0]
        if name not in sys.stdlib_module_names or name in sys.builtin_module_names:
            continue
        package = os.path.join(path, entry, "__init__.py")
        if entry.endswith(_SUFFIXES) or os.path.isfile(package):
            found.add(name)
    return found


class _Finder:
    """Finds the standard library's module, unless it is the application that asks."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None or name not in _shadowed:
            return None
        asker = _asker(sys._getframe(1))  # pyright: ignore[reportPrivateUsage]
        if is_applications(asker) and not _is_alembics(name):
            return None
        return PathFinder.find_spec(name, _STANDARD)


def _asker(frame: FrameType | None) -> Mapping[str, Any] | None:
    """The globals of the module whose code imports."""
    while frame is not None:
        file = frame.f_code.co_filename
        importing = file.startswith("<frozen importlib") or "importlib" in file.split(os.sep)[-2:]
        if not importing and file != __file__:
            return frame.f_globals
        frame = frame.f_back
    return None


def _answer(
    name: str,
    globals: Mapping[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """`import`, answered by who asks."""
    top = name.partition(".")[0]
    if level or top not in _shadowed:
        return _import(name, globals, locals, fromlist or (), level)
    if is_applications(globals) and not _is_alembics(top):
        _make_room(top)
        return _import(name, globals, locals, fromlist or (), 0)
    theirs = {}
    if top in sys.modules and not _is_standard(sys.modules[top]):
        theirs = _taken(top)
    sys.modules.update(_own.pop(top, {}))
    try:
        return _import(name, globals, locals, fromlist or (), 0)
    finally:
        if theirs:
            _own[top] = _taken(top)
            sys.modules.update(theirs)


def _make_room(top: str) -> None:
    """The application asks for a module of its own: the standard library's steps aside."""
    if top in sys.modules and _is_standard(sys.modules[top]):
        _own[top] = _taken(top)


def _taken(top: str) -> dict[str, ModuleType]:
    """The module and those below it, taken out of sys.modules."""
    names = [name for name in sys.modules if name == top or name.startswith(f"{top}.")]
    return {name: sys.modules.pop(name) for name in names}


def _load(name: str, spec: ModuleSpec) -> None:
    from importlib.util import module_from_spec

    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


def _is_standard(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return file is None or _is_below(os.path.realpath(file), _LIBRARY, inside="site-packages")


def _is_below(file: str, directory: str, *, inside: str) -> bool:
    return file.startswith(directory + os.sep) and inside not in file.split(os.sep)


def is_applications(asker: Mapping[str, Any] | None) -> bool:
    """Whether this module's code is the application's own, and not that of something installed."""
    file = asker.get("__file__") if asker is not None else None
    if not isinstance(file, str):
        return False
    file = os.path.realpath(file)
    installed = not {"site-packages", "dist-packages"}.isdisjoint(file.split(os.sep))
    return not installed and not file.startswith((_OURS + os.sep, _LIBRARY + os.sep))


def _is_alembics(top: str) -> bool:
    """Whether Alembic has loaded this module before it runs env.py, or Python itself."""
    global _of_alembic
    if top.startswith("_"):
        return True
    if _of_alembic is None:
        _of_alembic = _loaded_by_alembic()
    return top in _of_alembic


def _loaded_by_alembic() -> frozenset[str]:
    """What a process has loaded that runs `alembic`, without any of the application's modules."""
    import subprocess

    program = (
        "import sys\nsys.path[:] = sys.argv[1:]\n"
        "import alembic.config, alembic.command\nprint(*sys.modules)\n"
    )
    installed = sys.path[after_standard() :]
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, *_STANDARD, *installed],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:  # then what is loaded here is as near as one can get
        return frozenset(name for name, module in sys.modules.items() if _is_standard(module))
    return frozenset(name for name in done.stdout.split() if "." not in name)
