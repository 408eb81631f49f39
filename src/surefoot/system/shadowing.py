"""Keep apart the application's modules and the standard library's modules of the same name.

A project's root is often the first entry of sys.path, and may contain a secrets.py or a queue.py.
Under `alembic`, env.py then gets the project's module, and so it must here. But surefoot, its
dependencies and the standard library itself import lazily, and must get the standard library's,
whenever they import it. So if such names exist, and only then, an import depends on the importing
module: a finder looks where that module is, and a hook in front of `import` does so for loaded
modules. A name that Alembic loads before it runs env.py is the standard library's for the
application, too, as under `alembic`.

Imports only what every Python process has loaded.
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
# Modules of the standard library that are not in sys.modules now, by top-level name and name.
_own: dict[str, dict[str, ModuleType]] = {}
_import = builtins.__import__
_of_alembic: frozenset[str] | None = None


def guard(directories: Iterable[str]) -> None:
    """Give modules of these directories, which come first on sys.path, to the application alone."""
    found = {name for directory in directories for name in _shadowing(directory)}
    new = found - _shadowed
    if not new:
        return
    if not _shadowed:
        sys.meta_path.insert(0, _Finder())
        builtins.__import__ = _answer
    _shadowed.update(new)


def guard_start() -> None:
    """Do the same for directories before the standard library when Python has started."""
    guard(sys.path[: after_standard()])


def after_standard() -> int:
    """Return the place on sys.path right after the standard library."""
    last = 0
    for number, entry in enumerate(sys.path):
        if os.path.realpath(entry) in _STANDARD:
            last = number + 1
    return last


def import_for_application(name: str) -> ModuleType:
    """Import the module of this name that the application itself would get."""
    import importlib

    top = name.partition(".")[0]
    if top in _shadowed and not _is_alembics(top):
        _make_room(top)
        spec = PathFinder.find_spec(top) if top not in sys.modules else None
        if spec is not None:
            _load(top, spec)
    return importlib.import_module(name)


def _shadowing(directory: str) -> set[str]:
    """Return the names in a directory that would hide the standard library's."""
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
    """Finds the standard library's module, unless the application imports it."""

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
    """Return the globals of the importing module."""
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
    """Replace `import`: the answer depends on the importing module."""
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
    """Set the standard library's module aside, because the application imports its own."""
    if top in sys.modules and _is_standard(sys.modules[top]):
        _own[top] = _taken(top)


def _taken(top: str) -> dict[str, ModuleType]:
    """Remove a module and its submodules from sys.modules, and return them."""
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
    """Whether this module's code is the application's own, not an installed package's."""
    file = asker.get("__file__") if asker is not None else None
    if not isinstance(file, str):
        return False
    file = os.path.realpath(file)
    installed = not {"site-packages", "dist-packages"}.isdisjoint(file.split(os.sep))
    return not installed and not file.startswith((_OURS + os.sep, _LIBRARY + os.sep))


def _is_alembics(top: str) -> bool:
    """Whether Alembic, or Python itself, has loaded this module before env.py runs."""
    global _of_alembic
    if top.startswith("_"):
        return True
    if _of_alembic is None:
        _of_alembic = _loaded_by_alembic()
    return top in _of_alembic


def _loaded_by_alembic() -> frozenset[str]:
    """Return what a process that runs `alembic` has loaded, without the application's modules."""
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
    if done.returncode != 0:  # what is loaded here is the nearest available answer
        return frozenset(name for name, module in sys.modules.items() if _is_standard(module))
    return frozenset(name for name in done.stdout.split() if "." not in name)
