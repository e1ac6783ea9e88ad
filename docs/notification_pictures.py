"""Pictures of messages for the documentation: what the renderer really gives to Slack and email.

    python docs/notification_pictures.py

The events are real ones: market triggers over historical daily bars, recorded in a store (see
tests/support/measured.py). The emails are shown by a browser as they are. Slack's payload is drawn
here from its JSON: the text, the coloured bar and the blocks, in a hand of our own. Chromium is
found through CHROMIUM, else at /usr/bin/chromium.
"""

import base64
import html
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import Engine, text

from sentinel_core.message.content import About, Content, Item, Links, Medium, Message
from sentinel_core.message.phrases import rank
from sentinel_core.message.render import render
from sentinel_core.store.db.engine import open_engine, reading
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.db.tables import EVALUATION, EVENT
from tests.support.measured import market

IMAGES = Path(__file__).parent / "images"
LINKS = Links("https://sentinel.example", "https://prefect.example")
NEXT_STEP = "A day of results? Read the news before the desk asks."
STORM_THRESHOLD = 20
STORM_NAMED = 5  # of the ten that a message names
Theme = Literal["light", "dark"]

# A browser without a font of emoji shows boxes: they are drawn.
_DISC = (
    '<span style="display:inline-block;width:.85em;height:.85em;border-radius:{round};'
    "background:{at};color:#fff;font-size:.95em;line-height:.85em;text-align:center;"
    'vertical-align:-.06em">{sign}</span>'
)
_EMOJI = {
    "🔴": _DISC.format(at="#dd2e44", round="50%", sign=""),
    "🟠": _DISC.format(at="#f4900c", round="50%", sign=""),
    "🟡": _DISC.format(at="#fdcb58", round="50%", sign=""),
    "⚪": _DISC.format(at="#ccd6dd", round="50%", sign=""),
    "🔵": _DISC.format(at="#55acee", round="50%", sign=""),
    "✅": _DISC.format(at="#77b255", round="3px", sign="✓"),
    "💡": _DISC.format(at="#ffd983", round="50% 50% 30% 30%", sign=""),
    "⛈️": '<span style="color:#66757f">☁</span>',
}


def with_emoji(page: str) -> str:
    """The page with its emoji as small pictures."""
    for sign, picture in _EMOJI.items():
        page = page.replace(sign, picture)
    return page


# Slack, drawn


def drawn(messages: Sequence[Message]) -> str:
    """A page with the messages one below the other, as in a channel."""
    return f"""<!DOCTYPE html><meta charset="utf-8"><style>
      body {{ margin: 0; padding: 18px 22px; width: 700px; background: #fff; color: #1d1c1d;
              font: 15px/1.46 Lato, 'Liberation Sans', Arial, sans-serif; }}
      .message {{ display: flex; gap: 10px; margin-bottom: 22px; }}
      .face {{ flex: none; width: 36px; height: 36px; border-radius: 4px; background: #24292f;
               color: #fff; font-weight: 700; text-align: center; line-height: 36px; }}
      .all {{ min-width: 0; flex: 1; }}
      .who b {{ font-weight: 900; }} .who span {{ color: #616061; font-size: 12px; }}
      .who .app {{ background: #ebeaeb; border-radius: 2px; padding: 0 3px; font-size: 10px; }}
      .attachment {{ border-left: 4px solid; border-radius: 4px; padding: 2px 0 2px 12px;
                     margin-top: 5px; }}
      .block {{ margin: 5px 0; overflow-wrap: anywhere; }}
      .fields {{ display: grid; grid-template-columns: 1fr 1fr; gap: 6px 16px; }}
      .context {{ color: #616061; font-size: 13px; }}
      a {{ color: #1264a3; text-decoration: none; }}
      code {{ color: #c01343; background: #f6f6f6; border: 1px solid #ddd; border-radius: 3px;
              padding: 1px 3px; font: 12px 'DejaVu Sans Mono', monospace; }}
      pre {{ background: #f8f8f8; border: 1px solid #ddd; border-radius: 4px; padding: 8px;
             margin: 4px 0; font: 12px/1.4 'DejaVu Sans Mono', monospace; }}
      blockquote {{ margin: 0 0 4px; padding-left: 12px; border-left: 4px solid #ddd; }}
      </style>{"".join(_message(message) for message in messages)}"""


def _message(message: Message) -> str:
    attachments = "".join(
        f'<div class="attachment" style="border-color:{attachment["color"]}">'
        f"{''.join(_block(block) for block in attachment['blocks'])}</div>"
        for attachment in message.payload["attachments"]
    )
    return (
        '<div class="message"><div class="face">S</div><div class="all"><div class="who">'
        f'<b>Sentinel</b> <span class="app">APP</span></div>{_mrkdwn(message.payload["text"])}'
        f"{attachments}</div></div>"
    )


def _block(block: dict[str, Any]) -> str:
    if "fields" in block:
        inner = "".join(f"<div>{_mrkdwn(field['text'])}</div>" for field in block["fields"])
        return f'<div class="block fields">{inner}</div>'
    if block["type"] == "context":
        inner = "".join(_mrkdwn(part["text"]) for part in block["elements"])
        return f'<div class="block context">{inner}</div>'
    return f'<div class="block">{_mrkdwn(block["text"]["text"])}</div>'


def _mrkdwn(source: str) -> str:
    """The marks that Slack acts on, as HTML; its three entities are HTML's as well."""
    outside = re.split(r"(?s)```\n?(.*?)\n?```", source)
    return "".join(
        f"<pre>{part}</pre>" if n % 2 else "".join(_lines(part)) for n, part in enumerate(outside)
    )


def _lines(source: str) -> Iterator[str]:
    for line in source.strip("\n").split("\n"):
        if line.startswith("> "):
            yield f"<blockquote>{_line(line[2:])}</blockquote>"
        elif line:
            yield f"<div>{_line(line)}</div>"


def _line(line: str) -> str:
    line = re.sub(r"<([^|>]+)\|([^>]*)>", r'<a href="\1">\2</a>', line)
    line = re.sub(r"`([^`\u2060]+)`", r"<code>\1</code>", line)
    return re.sub(r"(?<!\w)\*(?!\u2060)([^*]+)\*(?!\u2060)", r"<b>\1</b>", line)


# Email


def shown(message: Message) -> str:
    """The HTML half of an email with its pictures inside, and the subject above."""
    page = message.html or ""
    for name, data in message.images.items():
        page = page.replace(
            f"cid:{name}", f"data:image/png;base64,{base64.b64encode(data).decode()}"
        )
    subject = (
        '<div class="page text" style="padding:14px 24px 0;background:#f6f8fa;font:600 17px Arial,'
        f"'Liberation Sans',sans-serif;\">{html.escape(message.subject)}</div>"
    )
    return re.sub(r"(<body[^>]*>)", lambda found: found[1] + subject, page)


# What happened


def events(engine: Engine, where: str, **values: Any) -> list[dict[str, Any]]:
    """Events of the store by a condition, oldest first."""
    with reading(engine) as connection:
        found = connection.execute(EVENT.select().where(text(where)).order_by(EVENT.c.id), values)
        return [dict(row) for row in found.mappings()]


def item_of(engine: Engine, event: dict[str, Any], reason: str = "opened") -> Item:
    """An event with the latest values of its series up to it."""
    e = EVALUATION.c
    series = (e.rule_id == event["rule_id"]) & (e.ticker == event["ticker"])
    with reading(engine) as connection:
        rows = connection.execute(
            EVALUATION.select().where(series, e.at <= event["last_seen"]).order_by(e.at.desc())
        ).mappings()
        history = [
            (row["at"], row["metrics"]["value"]) for row in rows if "value" in row["metrics"]
        ]
    return Item(event, reason, history[:60][::-1])


def storm_of(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts of these events and the most important of them, as if they had been one storm."""
    times = [event["first_seen"] for event in found]
    still_open = [event for event in found if event["resolved_at"] is None]
    named = sorted(
        found, key=lambda event: (-rank(event["importance"]), event["resolved_at"] is not None)
    )

    def by(name: str, of: Sequence[dict[str, Any]] = found) -> list[tuple[str, int]]:
        return Counter(str(event[name]) for event in of).most_common()

    return {
        "id": 1,
        "events": len(found),
        "threshold": STORM_THRESHOLD,
        "window_seconds": (times[STORM_THRESHOLD] - times[0]).total_seconds(),
        "started_at": times[0],
        "ended_at": times[-1],
        "by_rule": by("rule_name"),
        "by_category": by("category"),
        "by_importance": by("importance"),
        "tickers": len({event["ticker"] for event in found}),
        "resolved": len(found) - len(still_open),
        "open": len(still_open),
        "open_by_importance": by("importance", still_open),
        "named": named[:STORM_NAMED],
    }


def contents(engine: Engine) -> dict[str, Content]:
    """One event, a group, a storm and its end."""
    worst = max(
        events(engine, "rule_name = 'daily-move'"), key=lambda event: event["metrics"]["value"]
    )
    worst = {**worst, "resolved_at": None, "suggested_action": NEXT_STEP}
    worst["runbook"] = "https://wiki.example/runbooks/daily-move"
    moments = Counter(event["timestamp"] for event in events(engine, "true"))
    together = events(engine, "timestamp = :at", at=f"{moments.most_common(1)[0][0]:%F %T.%f}")
    found = events(engine, "true")
    begun = storm_of([{**event, "resolved_at": None} for event in found])
    newest = max(event["id"] for event in found if event["rule_name"] == "daily-move")
    ended = storm_of(
        [{**event, "resolved_at": None} if event["id"] == newest else event for event in found]
    )
    return {
        "event": Content(items=(item_of(engine, worst),)),
        "group": Content(items=tuple(item_of(engine, event) for event in together)),
        "storm": Content(About.STORM, facts={**begun, "ended_at": None}),
        "storm-ended": Content(About.STORM_ENDED, facts=ended),
    }


def take(browser: Browser, name: str, page: str, *, width: int, theme: Theme = "light") -> None:
    """A picture of a page, as high as the page is."""
    context = browser.new_context(
        viewport={"width": width, "height": 100}, color_scheme=theme, device_scale_factor=1.5
    )
    sheet = context.new_page()
    sheet.set_content(with_emoji(page))
    sheet.screenshot(path=IMAGES / f"notification-{name}.png", full_page=True)
    context.close()
    print(f"docs/images/notification-{name}.png")


def main() -> None:
    """All of them."""
    with TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{folder}/sentinel.db")
        ensure_schema(engine)
        market(engine, 130, datetime(2026, 11, 20, 22, tzinfo=UTC))
        told = contents(engine)
        engine.dispose()
    slack = {name: render(Medium.SLACK, content, LINKS) for name, content in told.items()}
    mail = {name: shown(render(Medium.EMAIL, content, LINKS)) for name, content in told.items()}
    IMAGES.mkdir(exist_ok=True)
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        take(browser, "slack", drawn([slack["event"], slack["group"]]), width=744)
        take(browser, "storm", drawn([slack["storm"], slack["storm-ended"]]), width=744)
        take(browser, "email", mail["event"], width=700)
        take(browser, "email-dark", mail["event"], width=700, theme="dark")
        take(browser, "email-group", mail["group"], width=700)
        browser.close()


if __name__ == "__main__":
    main()
