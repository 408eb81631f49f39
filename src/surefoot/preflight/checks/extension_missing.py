"""Extensions that a pending revision creates, and that the server doesn't have."""

from surefoot.errors import Finding
from surefoot.preflight.check import Found, Given

CODES = ("extension-missing",)


def check(given: Given) -> Found:
    """A finding for each extension of the path that the server doesn't have."""
    made_by = given.path.made if given.path else {}
    found: list[Finding] = []
    for name in given.around.unavailable:
        made = made_by.get(("extension", name))
        by = made.by.text if made else "a pending revision"
        found.append(
            Finding(
                "extension-missing",
                f"The server doesn't have the extension {name}, which {by} makes.",
                (f"pg_available_extensions has no {name}",),
                next="install it where the server runs, or use an image that has it; then start "
                "again",
            )
        )
    return Found(tuple(found))
