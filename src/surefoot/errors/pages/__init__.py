"""One page a code, in Markdown; they ship in the wheel."""

from pathlib import Path


def page(code: str) -> str:
    """The page of a code. Raises FileNotFoundError; a test holds codes and pages equal."""
    return (Path(__file__).parent / f"{code}.md").read_text(encoding="utf-8")
