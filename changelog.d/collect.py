"""Move the fragments into CHANGELOG.md: `python changelog.d/collect.py 0.2.0`."""

import datetime
import sys
from pathlib import Path

KINDS = {"added": "Added", "changed": "Changed", "fixed": "Fixed", "removed": "Removed"}
MARK = "<!-- releases -->\n"


def collect(version: str, root: Path, day: datetime.date) -> None:
    """Write a section for `version` with every fragment, and remove the fragments."""
    changelog = root / "CHANGELOG.md"
    section = [f"## {version} ({day.isoformat()})\n"]
    used: list[Path] = []
    for kind, title in KINDS.items():
        fragments = sorted((root / "changelog.d").glob(f"*.{kind}.md"))
        if fragments:
            section.append(f"### {title}\n")
            section += [f"- {' '.join(f.read_text().split())}" for f in fragments]
            section.append("")
            used += fragments
    text = changelog.read_text()
    changelog.write_text(text.replace(MARK, MARK + "\n" + "\n".join(section), 1))
    for fragment in used:
        fragment.unlink()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python changelog.d/collect.py VERSION")
    collect(sys.argv[1], Path(__file__).parent.parent, datetime.date.today())
