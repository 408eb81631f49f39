"""A workflow for the application's own CI, which checks the committed catalogue."""

import os
from pathlib import Path
from typing import Literal

Forge = Literal["github", "gitlab"]

_PLACES: dict[Forge, str] = {
    "github": ".github/workflows/surefoot.yml",
    "gitlab": ".gitlab/surefoot.yml",
}


def workflow(root: Path, forge: Forge) -> tuple[Path, str]:
    """Return the path and the text of the workflow file for the application below `root`.

    It belongs to the repository's root, where `.git` is; without one, to the application's.
    """
    root = root.absolute()
    top = next((d for d in (root, *root.parents) if (d / ".git").exists()), root)
    template = Path(__file__).parent.parent / "ci" / f"{forge}.yml"
    directory = root.relative_to(top).as_posix()
    text = template.read_text(encoding="utf-8")
    text = text.replace("INSTALL: -r requirements.txt", f"INSTALL: {_installs(root)}")
    text = text.replace("working-directory: .", f"working-directory: {directory}")
    text = text.replace("DIRECTORY: .", f"DIRECTORY: {directory}")
    return Path(os.path.relpath(top / _PLACES[forge])), text


def _installs(root: Path) -> str:
    """Return pip's arguments that install the application's own dependencies."""
    if (root / "requirements.txt").is_file() or not (root / "pyproject.toml").is_file():
        return "-r requirements.txt"
    return "."
