"""Why an upgrade that would destroy data isn't begun: a finding, for people. Pure."""

from surefoot.decision.facts import Facts
from surefoot.decision.plan import backup_text
from surefoot.errors import Finding
from surefoot.errors.steps import to_type

_SHOWN = 12


def upgrade_loses_data(facts: Facts) -> Finding:
    """Pending revisions destroy data, and that was not accepted."""
    lines = [one.text for one in facts.lost]
    more = len(lines) - _SHOWN
    backup = facts.code.backups
    first = "to accept the loss of this data"
    if backup is None:
        first = f"take a backup (surefoot backup); then, {first}"
    return Finding(
        "upgrade-loses-data",
        "The pending revisions would destroy data.",
        (
            *lines[:_SHOWN],
            *((f"and {more} more",) if more > 0 else ()),
            backup_text(backup),
        ),
        next=to_type(first, "surefoot up --accept-data-loss"),
    )
