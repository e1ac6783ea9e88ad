"""Renders a document as text: Markdown, plain text, and Slack without blocks. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sentinel_core.message.content import Medium
from sentinel_core.message.document import Cell, Document, Table
from sentinel_core.message.escaping import ESCAPES, JOINER, slack_escape
from sentinel_core.wording.text import shorten

FACTS = 12
WIDEST = 40  # characters of a column


@dataclass(frozen=True, slots=True)
class Style:
    """A medium's markup for evidence, links and tables, and the limit of a whole message."""

    limit: int
    strong: Callable[[str], str]
    link: Callable[[str, str], str]
    bars: Callable[[str], str]
    block: Callable[[str], str]
    bullet: str = "- "
    gap: str = "\n\n"


def _fenced(escape: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: f"```\n{escape(text.replace('`', chr(39)))}\n```"


_PLAIN = Style(
    limit=16_000, strong=str, link=lambda label, url: f"{label}: {url}", bars=str, block=str
)
STYLES = {
    Medium.SLACK: Style(
        limit=8_000,
        strong=lambda text: f"*{text}*",
        link=lambda label, url: f"<{slack_escape(url)}|{label.replace('|', '¦')}>",
        bars=lambda text: f"`{text}`",
        block=_fenced(slack_escape),
        bullet="• ",
        gap="\n",
    ),
    Medium.MARKDOWN: Style(  # Discord takes 2,000 characters
        limit=1_900,
        strong=lambda text: f"**{text}**",
        link=lambda label, url: (
            f"[{label}](<{url}>)" if set("() ") & set(url) else f"[{label}]({url})"
        ),
        bars=lambda text: f"`{text}`",
        block=_fenced(lambda text: text.replace("@", "@" + JOINER)),
    ),
    Medium.PLAIN: _PLAIN,
    Medium.EMAIL: replace(_PLAIN, limit=200_000),
}


def body(document: Document, medium: Medium, text: str, notes: Sequence[str] = ()) -> str:
    """`text`, then evidence, trend and tables as far as there is room, then links and time.

    Links, time and notes on failed templates are never left out.
    """
    style, escape = STYLES[medium], ESCAPES[medium]
    foot = escape.inline(" · ".join(document.foot), 400)
    between = "\n" if medium in {Medium.PLAIN, Medium.EMAIL} else " · "
    last = [f"⚠️ {escape.inline(note, 500)}" for note in notes]
    last += [part for part in (foot, between.join(linked(document, medium))) if part]
    room = style.limit - len(text) - sum(len(part) + len(style.gap) for part in last) - 60
    kept = text
    for gap, part, instead in _optional(document, medium):
        room -= len(gap) + len(part)
        if room < 0:
            kept = f"{kept}{style.gap}… {instead}; the blotter has the whole"
            break
        kept = f"{kept}{gap}{part}" if kept else part
    return style.gap.join(part for part in (kept, *last) if part)


def _optional(document: Document, medium: Medium) -> Iterator[tuple[str, str, str]]:
    """The optional parts: separator, part, and the words that replace it."""
    style, escape = STYLES[medium], ESCAPES[medium]
    for n, (name, value) in enumerate(document.facts[:FACTS]):
        label = style.strong(escape.inline(name, 80) + ":")
        fact = f"{style.bullet}{label} {escape.inline(value)}"
        yield "\n" if n else style.gap, fact, "not all of the evidence"
    if document.trend:
        yield style.gap, trend(document, medium), "not all of the evidence"
    for table in document.tables:
        yield from _table(table, medium)


def trend(document: Document, medium: Medium) -> str:
    """The bars, with the lowest and the highest value."""
    shown, escape = document.trend, ESCAPES[medium]
    if not shown:
        return ""
    lowest, highest = escape.inline(shown["lowest"], 40), escape.inline(shown["highest"], 40)
    bars = STYLES[medium].bars(shown["line"])
    return f"{bars} {lowest} to {highest}, the latest {shown['count']:,} values"


def _table(table: Table, medium: Medium) -> Iterator[tuple[str, str, str]]:
    style, escape = STYLES[medium], ESCAPES[medium]
    heading = style.strong(escape.inline(table.title)) if table.title else ""
    more = escape.inline(table.more())
    if not table.listed:
        parts = [heading, style.block(grid(table)), more]
        yield style.gap, "\n".join(part for part in parts if part), "not all of the tables"
        return
    if heading:
        yield style.gap, heading, table.more(0)
    # Two spaces at the end are Markdown's line break.
    line_break = "  \n" if medium is Medium.MARKDOWN else "\n"
    for n, row in enumerate(table.rows):
        yield line_break if n else style.gap, listed(row, medium), table.more(n)
    if more:
        yield line_break, more, more


def listed(row: Sequence[Cell], medium: Medium) -> str:
    """A row as a line, with its first cell in place of a bullet."""
    has_links = medium in {Medium.SLACK, Medium.MARKDOWN}
    texts = [(ESCAPES[medium].inline(cell.text), cell.url) for cell in row if cell.text]
    first, *rest = [
        STYLES[medium].link(text, url) if url and has_links else text for text, url in texts
    ]
    return f"{first} · {' · '.join(rest)}" if rest else first


def linked(document: Document, medium: Medium) -> list[str]:
    """The links, and the runbook if it is not among them."""
    style, escape = STYLES[medium], ESCAPES[medium]
    links = [style.link(escape.inline(label), url) for label, url in document.links]
    if document.runbook:
        links.append(f"Runbook: {escape.inline(document.runbook, 500)}")
    return links


def grid(table: Table) -> str:
    """The columns' names, a line below them, and the rows; numbers are right-aligned."""
    texts = [table.columns, *([cell.text for cell in row] for row in table.rows)]
    lines = [[shorten(text, WIDEST) for text in line] for line in texts]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [str.rjust if table.is_numeric(n) else str.ljust for n in range(len(widths))]

    def shown(line: Sequence[str]) -> str:
        cells = zip(aligned, line, widths, strict=True)
        return "  ".join(align(text, width) for align, text, width in cells).rstrip()

    rule = "  ".join("─" * width for width in widths)
    return "\n".join([shown(lines[0]), rule, *(shown(line) for line in lines[1:])])
