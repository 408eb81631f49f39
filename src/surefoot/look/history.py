"""The application's history without running its code."""

from surefoot.look.catalogue import read_catalogue
from surefoot.look.code import catalogue_file, find_ini
from surefoot.model.history import History
from surefoot.project.config import Project
from surefoot.revision_source.history_files import read_history


def history_of_files(project: Project) -> History:
    """Return the history from its files; if only Alembic could read them, from the catalogue.

    Raises SurefootError `history-not-found` or `catalogue-…`.
    """
    ini = find_ini(project)
    history = read_history(ini) if ini is not None else None
    if history is not None and history.in_order() is not None:
        return history
    return read_catalogue(catalogue_file(project, ini)).history
