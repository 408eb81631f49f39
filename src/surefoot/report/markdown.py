"""Render a page of Markdown for a terminal: wrapped, with tables laid out and links as commands.

Supports what surefoot's own pages use: headings, paragraphs, lists, tables, fenced blocks, links,
code and bold.
"""

import re
from collections.abc import Callable, Iterable

from surefoot.report.terminal import Terminal, columns, wrapped

_KEPT = "\N{NO-BREAK SPACE}"  # a space that is never wrapped
_ITEM = re.compile(r"(\s*)((?:[-*]|\d+\.)\s+)(.*)")
_MARKED = re.compile(
    r"(`[^`]+`)|\[((?:`[^`]*`|[^\]])+)\]\(([^)\s]+)\)|\*\*(.+?)\*\*|\*([^*\s][^*]*)\*"
)
_UNSEEN = re.compile(r"^<!--.*?-->\n|^!\[[^\]\n]*\]\(\S+\)\n", re.M | re.S)
_DEEPEST = 8  # columns of indentation of the deepest list
_FENCED = 4  # columns of indentation of a sample
_TALLEST = 7  # lines of a table row; a table with a taller row becomes a list

Explains = Callable[[str], bool]


def rendered(text: str, terminal: Terminal, explains: Explains) -> list[str]:
    """Return the page's lines, without comments and pictures.

    `explains`: whether `surefoot explain WORD` knows a word.
    """
    return list(_Page(terminal, explains).lines(_UNSEEN.sub("", text)))


class _Page:
    def __init__(self, terminal: Terminal, explains: Explains) -> None:
        self._terminal, self._explains = terminal, explains

    def lines(self, text: str) -> Iterable[str]:
        blank = False
        for block in _blocks(text):
            if block == [""]:
                blank = True
                continue
            if blank:
                yield ""
            blank = False
            yield from self._block(block)

    def _block(self, block: list[str]) -> list[str]:
        first = block[0]
        if first.lstrip().startswith("```"):
            return self._fenced(block[1:-1])
        if heading := re.fullmatch(r"(#+) (.*)", first):
            title = self._inline(heading[2]).replace(_KEPT, " ")
            return [self._terminal.paint(f"{heading[1]} {title}", "bold")]
        if first.startswith("|"):
            return self._table(block)
        item = _ITEM.fullmatch(first)
        start = item[1] + item[2] if item else first[: len(first) - len(first.lstrip())]
        text = " ".join([item[3] if item else first.strip(), *(line.strip() for line in block[1:])])
        return self._wrap(self._inline(text), start, " " * len(start))

    def _fenced(self, lines: list[str]) -> list[str]:
        """Return a sample, indented as far as it then fits; a line is never broken."""
        lines = [line.expandtabs(4) for line in lines]
        room = self._terminal.width
        widest = max((width for line in lines if (width := columns(line)) <= room), default=0)
        indent = " " * min(_FENCED, room - widest)
        return [f"{indent}{line}".rstrip() for line in lines]

    def _wrap(self, text: str, first: str = "", indent: str = "", width: int = 0) -> list[str]:
        lines = wrapped(
            text,
            width or self._terminal.width,
            initial_indent=first,
            subsequent_indent=indent,
            break_on_hyphens=False,
        )
        return [line.replace(_KEPT, " ") for line in lines]

    def _inline(self, text: str) -> str:
        """Remove the marks of a text; code and commands stay on one line if they fit."""

        def shown(found: re.Match[str]) -> str:
            code, label, target, bold, slanted = found.groups()
            if code:
                fits = columns(code) + _DEEPEST <= self._terminal.width
                return code.replace(" ", _KEPT) if fits else code
            if target:
                return self._link(self._inline(label), target)
            return self._inline(bold or slanted)

        return _MARKED.sub(shown, text.replace(r"\|", "|").replace(r"\_", "_"))

    def _link(self, label: str, target: str) -> str:
        """Return a link's target as something to type or to open."""
        path, _, _ = target.partition("#")
        if re.match(r"[a-z]+:", target):
            return f"{label} <{target}>"
        word = path.rpartition("/")[2].removesuffix(".md")
        if not path.endswith(".md") or not self._explains(word):
            return label
        command = f"surefoot explain {word}".replace(" ", _KEPT)
        own = label.strip("`").lower().replace(" ", "-") in (word, f"{word}.md")
        return f"`{command}`" if own else f"{label} (`{command}`)"

    def _table(self, block: list[str]) -> list[str]:
        titles, _, *rows = ([self._inline(cell) for cell in _cells(line)] for line in block)
        found = self._columns(titles, rows)
        return self._records(titles, rows) if found is None else found

    def _columns(self, titles: list[str], rows: list[list[str]]) -> list[str] | None:
        """Return the table in columns that fit; None if it would be too narrow to read."""
        every = [titles, *rows]
        widths = [max(columns(row[i]) for row in every) for i in range(len(titles))]
        least = [
            max(columns(word) for row in every for word in row[i].split(" "))
            for i in range(len(titles))
        ]
        room = self._terminal.width - 2 * (len(titles) - 1)
        if sum(least) > room:
            return None
        while sum(widths) > room:
            widest = max(range(len(widths)), key=lambda i: (widths[i] > least[i], widths[i]))
            widths[widest] -= 1
        laid_out = [
            [
                self._wrap(cell, width=width) if cell else [""]
                for cell, width in zip(row, widths, strict=True)
            ]
            for row in every
        ]
        tallest = max(len(cell) for row in laid_out for cell in row)
        if tallest > _TALLEST:
            return None
        lines: list[str] = []
        for number, row in enumerate(laid_out):
            if number > 1 and tallest > 1:
                lines.append("")
            for at in range(max(map(len, row))):
                parts = [
                    cell[at] + " " * (width - columns(cell[at])) if at < len(cell) else " " * width
                    for cell, width in zip(row, widths, strict=True)
                ]
                line = "  ".join(parts).rstrip()
                lines.append(self._terminal.paint(line, "bold") if number == 0 else line)
            if number == 0:
                lines.append("-" * (sum(widths) + 2 * len(widths) - 2))
        return lines

    def _records(self, titles: list[str], rows: list[list[str]]) -> list[str]:
        """Return the table as a list: the first cell of each row, and the others below it."""
        lines: list[str] = []
        for row in rows:
            lines += ["", *self._wrap(row[0])] if lines else self._wrap(row[0])
            for title, cell in zip(titles[1:], row[1:], strict=True):
                if cell:
                    lines += self._wrap(f"{title}: {cell}", "  ", "    ")
        return lines


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def _blocks(text: str) -> Iterable[list[str]]:
    """Split the page into blocks: paragraphs, items, headings, tables, fenced blocks; [""] for an
    empty line.
    """
    block: list[str] = []
    fenced = False
    for line in re.sub(r"<!--.*?-->\n?", "", text, flags=re.S).rstrip().split("\n"):
        if fenced:
            block.append(line)
            if line.strip() == "```":
                yield block
                block, fenced = [], False
            continue
        fenced = line.lstrip().startswith("```")
        begins = (
            fenced
            or not line.strip()
            or line.startswith("#")
            or _ITEM.fullmatch(line) is not None
            or line.startswith("|") is not (bool(block) and block[0].startswith("|"))
        )
        if begins and block:
            yield block
            block = []
        if not line.strip() or line.startswith("#"):
            yield [line.strip()]
            continue
        block.append(line)
    if block:
        yield block
