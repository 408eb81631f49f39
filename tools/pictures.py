"""Draw docs/pictures/*.dot with Graphviz: `make pictures`.

A test checks that they are current. Needs the program `dot` (Debian: graphviz). The drawings are
black on white, so they can be printed and look the same on a dark page.
"""

import hashlib
import re
import subprocess
from pathlib import Path

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
STYLE = (
    *("-Gfontname=sans-serif", "-Nfontname=sans-serif", "-Efontname=sans-serif"),
    *("-Nshape=box", "-Nfontsize=12", "-Efontsize=10", "-Gfontsize=14", "-Glabelloc=t"),
    *("-Gbgcolor=white", "-Gpad=0.3", "-Granksep=0.45", "-Gnodesep=0.35"),
)


def mark(source: str) -> str:
    """Return the comment that says from which source a drawing was made."""
    return f"<!-- made from {hashlib.sha256(source.encode()).hexdigest()} -->"


def draw(file: Path) -> None:
    """Draw a picture next to its source, without what depends on Graphviz's version."""
    source = file.read_text(encoding="utf-8")
    done = subprocess.run(
        ["dot", "-Tsvg", *STYLE, file], capture_output=True, text=True, check=True
    )
    svg = re.sub(r"<!--.*?-->\n?", "", done.stdout, flags=re.S)
    svg = re.sub(r"<\?xml.*?<svg", "<svg", svg, flags=re.S)
    svg = re.sub(r"<title>.*?</title>\n", "", svg)
    svg = re.sub(r"(<svg) width=\"\w+\" height=\"\w+\"", r'\1 role="img"', svg)
    file.with_suffix(".svg").write_text(f"{mark(source)}\n{svg}", encoding="utf-8")


if __name__ == "__main__":
    for picture in sorted(PICTURES.glob("*.dot")):
        draw(picture)
