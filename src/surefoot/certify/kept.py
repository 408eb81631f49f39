"""The cases that failed: a file in the repository; the next run begins with them."""

from collections.abc import Iterable
from pathlib import Path

from surefoot.certify.plan import FIXTURES, parts_of
from surefoot.certify.result import Result
from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.system.files import a_token, read_file, replace_file, shown

FILE = "failed-cases.txt"

_HEAD = (
    "# Cases of surefoot certify that failed: the next run begins with them. Written by surefoot;\n"
    "# a case that passes is removed. Commit this file.\n"
)


def read_failed(root: Path) -> tuple[str, ...]:
    """Return the names of the cases in the file of this project; none if there is no file.

    The file may come from somebody else: a line that can't be a case's name is an error. Raises
    SurefootError `case-unknown`.
    """
    file = root / FIXTURES / FILE
    try:
        lines = read_file(file).decode().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (OSError, UnicodeDecodeError) as error:
        told = f"{shown(file)} can't be read."
        raise _unusable(told, str(error), f"correct or remove {shown(file)}") from error
    found: list[str] = []
    for number, line in enumerate(lines, 1):
        name = line.strip()
        if not name or name.startswith("#"):
            continue
        if parts_of(name) is None:
            told = f"{shown(file)}:{number}: {name[:80]!r} is not a case."
            says = "a case is called STRUCTURE/DATA/KIND, or STRUCTURE/DATA/KIND/DETAIL"
            raise _unusable(told, says, f"remove line {number} from {shown(file)}")
        found.append(name)
    return tuple(dict.fromkeys(found))


def _unusable(told: str, seen: str, step: str) -> SurefootError:
    return SurefootError("case-unknown", told, seen=[seen], database=NOT_REACHED, next=step)


def write_failed(root: Path, results: Iterable[Result]) -> None:
    """Add the cases that fail now to the file, and remove those that pass; others stay.

    Raises OSError, and SurefootError `case-unknown`.
    """
    results = list(results)
    before = set(read_failed(root))  # read again: another run may have ended meanwhile
    passed = {one.case.name for one in results if one.outcome in ("passed", "skipped")}
    failed = {one.case.name for one in results if one.outcome in ("failed", "missed")}
    names = (before - passed) | failed
    file = root / FIXTURES / FILE
    if names == before:
        return
    if not names:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(exist_ok=True)
    text = _HEAD + "".join(f"{name}\n" for name in sorted(names))
    beside = file.with_name(f".{FILE}.{a_token()}")
    replace_file(file, text.encode(), beside=beside, mode=0o644)
