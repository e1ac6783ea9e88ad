"""Checks a rule's templates before they are needed. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

from sentinel_core.message.content import Content, Item, Links, Medium
from sentinel_core.message.render import document
from sentinel_core.message.template_language import Example
from sentinel_core.message.templating import PARTS, explained, is_for_groups, values_of, write

_LINKS = Links("https://sentinel.example", "https://prefect.example")
_AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
_HOSTILE = "x' y=z \"> <b onclick=x>"  # ends any attribute, quoted or not
_TEXTS = (
    "rule_name",
    "ticker",
    "message",
    "category",
    "environment",
    "suggested_action",
    "runbook",
    "comment",
)


def check_templates(templates: Any) -> list[str]:
    """Every mistake in a rule's `templates`, as sentences; an empty list if all of them work.

    Each is rendered for an example event, and for a group if it is made for groups.
    """
    if not isinstance(templates, Mapping):
        return ["templates: by medium, as in {slack: {title: …}}"]
    return [mistake for name, parts in templates.items() for mistake in _medium(str(name), parts)]


def _medium(name: str, parts: Any) -> Iterator[str]:
    known = [medium.value for medium in Medium]
    if name not in known:
        yield f"templates.{name}: there is no such medium; there are {', '.join(known)}"
        return
    if not isinstance(parts, Mapping):
        yield f"templates.{name}: by part, as in {{{next(iter(PARTS[Medium(name)]))}: …}}"
        return
    for part, source in parts.items():
        if part not in PARTS[Medium(name)]:
            yield (
                f"templates.{name}.{part}: there is no such part; "
                f"there are {', '.join(PARTS[Medium(name)])}"
            )
        elif not isinstance(source, str):
            yield f"templates.{name}.{part}: a text, not {type(source).__name__}"
        else:
            yield from (f"templates.{name}.{part}: {text}" for text in _part(name, part, source))


def _part(name: str, part: str, source: str) -> Iterator[str]:
    medium = Medium(name)
    try:
        counts = (1, 2) if is_for_groups(medium, source) else (1,)
        for count in counts:
            text = write(medium, part, source, _values(count))
            if not text:
                yield "says nothing of an example event"
                return
            if "…" in text[-5:] and len(text) >= PARTS[medium][part] - 10:
                yield f"says more than {PARTS[medium][part]:,} characters of an example event"
                return
        if part == "html":
            yield from _html(source)
    except RecursionError:
        yield "nested too deeply"
    except Exception as error:  # any failure of a template is a mistake to report
        yield explained(error)


def _values(count: int, text: str | None = None) -> dict[str, Any]:
    shown = document(Content(items=(example(text),) * count), _LINKS)
    values = {**values_of(shown), "chart": "cid:chart", "chart_text": "example", "notes": []}
    # What triggers report is unknown here: any name has a value.
    values["events"] = [
        {
            **event,
            "metrics": defaultdict(lambda: 1.0, event["metrics"]),
            "metadata": defaultdict(lambda: Example("example"), event["metadata"]),
        }
        for event in shown.events
    ]
    values["event"] = values["events"][0]
    return values


def example(text: str | None = None) -> Item:
    """An example event, with `text` in every text field if given."""
    event: dict[str, Any] = {
        "id": 1,
        "rule_name": "aapl-price-surge",
        "kind": "alert",
        "ticker": "AAPL",
        "category": "Market",
        "environment": "production",
        "importance": "high",
        "message": "AAPL trades at 151.2",
        "timestamp": _AT,
        "first_seen": _AT,
        "last_seen": _AT,
        "occurrences": 2,
        "is_acknowledged": False,
        "acknowledged_by": None,
        "comment": None,
        "resolved_at": None,
        "prefect_flow_run_id": UUID(int=1),
        "runbook": "docs/runbooks/price_surge.md",
        "suggested_action": "Look at the news.",
        "metrics": {"value": 151.2, "threshold": 150.0},
        "metadata": {"unit": "USD"},
    }
    if text is not None:
        event.update(dict.fromkeys(_TEXTS, text), metadata={"unit": "USD", text: text})
    history = tuple((_AT - timedelta(minutes=n), 150.0 + n) for n in range(5, -1, -1))
    return Item(event, "opened", history)


def _html(source: str) -> Iterator[str]:
    """Mistakes of an HTML template: values that become elements or attributes."""
    plain, hostile = _Shape(), _Shape()
    for shape, text in ((plain, "harmless"), (hostile, _HOSTILE)):
        shape.feed(write(Medium.EMAIL, "html", source, _values(1, text)))
        shape.close()
    if plain.elements != hostile.elements:
        yield "a value can become HTML: put attributes in double quotes, values outside of tags"
    if plain.placed:
        where = ", ".join(sorted(plain.placed))
        yield f"a value stands where mail programs act on it ({where}): only as text, alt or title"


class _Shape(HTMLParser):
    """The elements and attributes of a page, and those that contain the text of an event."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.placed: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.placed |= {
            f"{tag} {name}"
            for name, value in attrs
            if "harmless" in (value or "").lower() and name not in {"alt", "title"}
        }

    def handle_data(self, data: str) -> None:
        if self.cdata_elem and "harmless" in data.lower():
            self.placed.add(self.cdata_elem)
