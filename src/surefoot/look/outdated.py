"""Compare a committed catalogue with the code's files, without a server or running code."""

import sys
from pathlib import Path

import msgspec

from surefoot.catalogue.catalogue import Catalogue
from surefoot.catalogue.check import check_by_hashes
from surefoot.errors import NOT_REACHED, Finding, SurefootError
from surefoot.errors.steps import to_type
from surefoot.look.catalogue import init_scripts, origins
from surefoot.look.code import code_of, find_ini
from surefoot.model.history import History
from surefoot.project.config import Project
from surefoot.revision_source.history_files import read_with_files
from surefoot.revision_source.ini import IniFile
from surefoot.revision_source.trees import Trees, bytes_hash, with_trees
from surefoot.system.shadowing import after_standard


def findings_of_files(project: Project, catalogue: Catalogue) -> tuple[Finding, ...]:
    """Find what is wrong with the catalogue, by the hashes of the files and of their syntax trees.

    Raises SurefootError `history-needs-code`, and as `find_ini` and `code_of` do.
    """
    ini = find_ini(project)
    config = project.config
    found = read_with_files(ini) if ini is not None else None
    if ini is None or found is None or config.alembic_config or found[0].in_order() is None:
        raise SurefootError(
            "history-needs-code",
            "The revision files can't be read without running the application's code.",
            seen=["a revision's id or its parents aren't plain texts, or env.py chooses the files"],
            database=NOT_REACHED,
            next=to_type("check the catalogue with Alembic's help", "surefoot catalog check"),
        )
    history = _with_hashes(project, ini, catalogue, *found)
    scripts = init_scripts(project, code_of(project, history))
    return check_by_hashes(
        catalogue, history, scripts, origins(project), heads=project.config.heads
    )


def _with_hashes(
    project: Project, ini: IniFile, catalogue: Catalogue, history: History, files: dict[str, Path]
) -> History:
    """Return the history, comparable with the catalogue's by what the revisions do."""
    hashed = {
        id: msgspec.structs.replace(revision, sha256=bytes_hash(files[id].read_bytes()))
        for id, revision in history.revisions.items()
    }
    # as the application's modules are found when its env.py runs
    standard = after_standard()
    own = (project.root, ini.working_directory())
    path = [*ini.first_on_path(), *sys.path[:standard], *own, *sys.path[standard:]]
    trees = Trees(project.root, map(str, path))
    return with_trees(History(hashed), catalogue.history, files, trees)
