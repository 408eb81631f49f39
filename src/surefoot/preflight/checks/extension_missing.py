"""Extensions that a pending revision makes, and that the server doesn't have."""

from surefoot.errors import Finding
from surefoot.preflight.path import UpgradePath
from surefoot.preflight.surroundings import Surroundings


def extensions(path: UpgradePath, around: Surroundings) -> tuple[Finding, ...]:
    """One finding for each; `around.unavailable` are those of the path that can't be made."""
    found: list[Finding] = []
    for name in around.unavailable:
        made = next((m for key, m in path.made.items() if key == ("extension", name)), None)
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
    return tuple(found)
