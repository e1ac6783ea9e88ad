"""A document for Slack: a line of text, and blocks beside a bar in its colour. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from sentinel_core.message.content import Medium, Message
from sentinel_core.message.document import Document, Table
from sentinel_core.message.escaping import ESCAPES
from sentinel_core.message.templating import Writer
from sentinel_core.message.to_text import STYLES, body, grid, linked, listed, trend
from sentinel_core.message.truncate import truncate
from sentinel_core.wording.text import fitting

BLOCKS, SECTION, FIELDS, FIELD = 50, 3_000, 10, 2_000  # Slack's limits
_TABLES = 12  # of a report; more would exceed the number of blocks
_ESCAPE = ESCAPES[Medium.SLACK]

Block = dict[str, Any]


def message(document: Document, writer: Writer) -> Message:
    """The payload is what Slack's API takes: `text` (also the notification) and `attachments`.

    `body` has the same content as text, for channels that accept no blocks.
    """
    title, text = writer.write("title"), writer.write("body")
    blocks = list(_blocks(document, text, writer.notes))[:BLOCKS]
    attachment = {"color": document.colour, "fallback": title, "blocks": blocks}
    return Message(
        subject=title,
        body=body(document, Medium.SLACK, text, writer.notes),
        payload={"text": title, "attachments": [attachment]},
    )


def _blocks(document: Document, text: str, notes: Sequence[str]) -> Iterator[Block]:
    if text:
        yield _section(text)
    if document.facts:
        facts = [
            f"*{_ESCAPE.inline(name, 80)}*\n{_ESCAPE.inline(value)}"
            for name, value in document.facts[:FIELDS]
        ]
        yield {"type": "section", "fields": [_text(fact, FIELD) for fact in facts]}
    if document.trend:
        yield _section(trend(document, Medium.SLACK))
    for table in document.tables[:_TABLES]:
        yield from _table(table)
    if (left_out := len(document.tables) - _TABLES) > 0:
        yield _context(f"and {left_out} more tables")
    for note in notes[:3]:
        yield _context(f"⚠️ {_ESCAPE.inline(note, 500)}")
    if links := linked(document, Medium.SLACK):
        yield _section(" · ".join(links))
    if document.foot:
        yield _context(_ESCAPE.inline(" · ".join(document.foot), 400))


def _text(text: str, limit: int) -> Block:
    # verbatim: Slack turns nothing in the text into links, channels or mentions.
    return {"type": "mrkdwn", "text": truncate(Medium.SLACK, text, limit), "verbatim": True}


def _section(text: str) -> Block:
    return {"type": "section", "text": _text(text, SECTION)}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_text(text, FIELD)]}


def _table(table: Table) -> Iterator[Block]:
    heading = f"*{_ESCAPE.inline(table.title)}*\n" if table.title else ""
    if table.listed:
        lines = [truncate(Medium.SLACK, listed(row, Medium.SLACK), SECTION) for row in table.rows]
        yield from (_section(heading * (n == 0) + part) for n, part in enumerate(_packed(lines)))
    else:
        # As many rows as fit; the blotter or the email has the whole table.
        fenced = fitting(grid(table), SECTION - len(heading), STYLES[Medium.SLACK].block)
        yield _section(heading + fenced)
    if more := table.more():
        yield _context(_ESCAPE.inline(more))


def _packed(lines: Sequence[str]) -> Iterator[str]:
    """Lines joined into as few texts as Slack's limit of a section allows."""
    part = ""
    for line in lines:
        if part and len(part) + 1 + len(line) > SECTION - 250:
            yield part
            part = ""
        part = f"{part}\n{line}" if part else line
    if part:
        yield part
