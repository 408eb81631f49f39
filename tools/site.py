"""Build the site from the documents: `make site` writes .cache/site/html.

The pages are docs/, the error pages and the example's README. docs/index.md gives the order. Every
link of every built page is checked.
"""

import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
WORK = ROOT / ".cache" / "site"
SOURCE = WORK / "source"
HTML = WORK / "html"

# Pages from outside docs/, with their place in the site.
OTHERS = {
    "examples/whisperengine/README.md": "start/example.md",
    "CONTRIBUTING.md": "contributing.md",
}
ERRORS = ROOT / "src" / "surefoot" / "errors" / "pages"

CONFIGURATION = {
    "site_name": "surefoot",
    "site_description": "PostgreSQL databases to the head of an Alembic history, or refused.",
    "docs_dir": "source",
    "site_dir": "html",
    "use_directory_urls": False,  # so that the pages can be read from disk
}
THEME = """
[project.theme]
language = "en"
font = false
features = [
  "content.code.copy", "navigation.footer", "navigation.path", "navigation.sections",
  "navigation.top", "navigation.tracking", "search.highlight", "toc.follow",
]

[[project.theme.palette]]
media = "(prefers-color-scheme)"
toggle.icon = "lucide/sun-moon"
toggle.name = "Switch to light"

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"
toggle.icon = "lucide/sun"
toggle.name = "Switch to dark"

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
toggle.icon = "lucide/moon"
toggle.name = "Follow the system"

[project.markdown_extensions]
attr_list = {}
tables = {}
toc.permalink = true
pymdownx.highlight.pygments_lang_class = true
pymdownx.inlinehilite = {}
pymdownx.superfences = {}
"""


def places() -> dict[Path, Path]:
    """Return each page of the repository, with its path in the site."""
    found = {
        file: file.relative_to(ROOT / "docs")
        for file in (ROOT / "docs").rglob("*")
        if file.is_file()
    }
    found |= {file: Path("errors", file.name) for file in ERRORS.glob("*.md")}
    return found | {ROOT / file: Path(place) for file, place in OTHERS.items()}


def moved(text: str, file: Path, site: dict[Path, Path]) -> str:
    """Rewrite the links of a page for the site.

    A link to a file that isn't in the site becomes its label; a picture links to itself, because it
    is small on a phone.
    """

    def link(found: re.Match[str]) -> str:
        label, target = found[1], found[2]
        path, _, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", target):
            return found[0]
        place = site.get((file.parent / path).resolve())
        if place is None:
            return label
        there = os.path.relpath(place, site[file].parent)
        return f"[{label}]({there}{'#' + anchor if anchor else ''})"

    text = re.sub(r"(?<!!)\[((?:`[^`]*`|[^\]])+)\]\(([^)\s]+)\)", link, text)
    return re.sub(r"^(!\[[^\]\n]*\]\((\S+)\))$", r"[\1](\2)", text, flags=re.M)


def navigation(index: str) -> str:
    """Return the order of the pages in docs/index.md, as TOML."""
    entries = ['{ "surefoot" = "index.md" }']
    for part in re.split(r"^(?=\*\*)", index, flags=re.M)[1:]:
        title = re.match(r"\*\*(.+?)\*\*", part)
        assert title is not None
        pages = re.findall(r"\[([^\]]+)\]\(([^)\s#]+\.md)\)", part)
        items = [
            f'{{ {json.dumps(name[:1].upper() + name[1:])} = "{path}" }}' for name, path in pages
        ]
        entries.append(f"{{ {json.dumps(title[1])} = [{', '.join(items)}] }}")
    slugs = sorted(file.stem for file in ERRORS.glob("*.md"))
    items = [f'{{ "{slug}" = "errors/{slug}.md" }}' for slug in slugs]
    entries.append(f'{{ "Error pages" = [{", ".join(items)}] }}')
    return "nav = [\n  " + ",\n  ".join(entries) + ",\n]\n"


def write_source() -> Path:
    """Copy the pages, write the configuration. Returns its path."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    site = places()
    for file, place in site.items():
        target = SOURCE / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".md":
            target.write_text(moved(file.read_text("utf-8"), file, site), encoding="utf-8")
        else:
            shutil.copy(file, target)
    settings = "\n".join(f"{key} = {json.dumps(value)}" for key, value in CONFIGURATION.items())
    file = WORK / "zensical.toml"
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    file.write_text(f"[project]\n{settings}\n{navigation(index)}{THEME}", encoding="utf-8")
    return file


class _Page(html.parser.HTMLParser):
    """The anchors and the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.names.add(value)
            if name in ("href", "src") and value and tag != "link":
                self.links.add(value)


def broken(root: Path) -> list[str]:
    """Return the broken links within the site, each once, with a page that has it."""
    pages: dict[Path, _Page] = {}
    for file in root.rglob("*.html"):
        page = _Page()
        page.feed(file.read_text(encoding="utf-8"))
        pages[file.resolve()] = page
    found: dict[str, str] = {}
    for file, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
                continue
            if file.name == "404.html":
                continue  # its links begin at the server's root
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if target.is_dir():
                target /= "index.html"
            name = unquote(parts.fragment)
            if not target.exists() or (
                name and target in pages and name not in pages[target].names
            ):
                there = f"{os.path.relpath(target, root.resolve())}#{name}".rstrip("#")
                found.setdefault(there, str(file.relative_to(root.resolve())))
    return [f"{target}, from {page}" for target, page in sorted(found.items())]


def main() -> int:
    """Build and check. Returns the exit code."""
    shutil.rmtree(HTML, ignore_errors=True)
    configuration = write_source()
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--config-file", configuration]
    done = subprocess.run(command, cwd=WORK, capture_output=True, text=True)
    if done.returncode != 0 or not (HTML / "index.html").exists():
        print(done.stdout + done.stderr, file=sys.stderr)
        return 1
    wrong = broken(HTML)
    for link in wrong:
        print(f"broken link: {link}", file=sys.stderr)
    print(f"{len(list(HTML.rglob('*.html')))} pages: {HTML / 'index.html'}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
