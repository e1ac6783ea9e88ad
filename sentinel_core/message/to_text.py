"""Renders a document as text: Markdown, plain text, and Slack without blocks. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sentinel_core.message.content import Medium
from sentinel_core.message.document import Cell, Document, Table
from sentinel_core.message.escaping import ESCAPES, JOINER, slack_escape
from sentinel_core.message.text_table import grid

FACTS = 12


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


def _same(text: str) -> str:
    return text


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
    Medium.PLAIN: Style(
        limit=16_000,
        strong=_same,
        link=lambda label, url: f"{label}: {url}",
        bars=_same,
        block=_same,
    ),
    Medium.EMAIL: Style(
        limit=200_000,
        strong=_same,
        link=lambda label, url: f"{label}: {url}",
        bars=_same,
        block=_same,
    ),
}


def body(document: Document, medium: Medium, text: str, notes: Sequence[str] = ()) -> str:
    """`text`, then evidence, trend and tables as far as there is room, then links and time.

    Links, time and notes on failed templates are never left out.
    """
    style = STYLES[medium]
    last = _last(document, medium, notes)
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
        said = f"{style.bullet}{label} {escape.inline(value)}"
        yield "\n" if n else style.gap, said, "not all of the evidence"
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
    first, *rest = [_cell(cell, medium) for cell in row if cell.text]
    return f"{first} · {' · '.join(rest)}" if rest else first


def _cell(cell: Cell, medium: Medium) -> str:
    text = ESCAPES[medium].inline(cell.text)
    if cell.url and medium in {Medium.SLACK, Medium.MARKDOWN}:
        return STYLES[medium].link(text, cell.url)
    return text


def _last(document: Document, medium: Medium, notes: Sequence[str]) -> list[str]:
    style, escape = STYLES[medium], ESCAPES[medium]
    between = "\n" if medium in {Medium.PLAIN, Medium.EMAIL} else " · "
    linked = [style.link(escape.inline(label), url) for label, url in document.links]
    if document.runbook:
        linked.append(f"Runbook: {escape.inline(document.runbook, 500)}")
    parts = [f"⚠️ {escape.inline(note, 500)}" for note in notes]
    parts.append(escape.inline(" · ".join(document.foot), 400))
    return [part for part in (*parts, between.join(linked)) if part]
