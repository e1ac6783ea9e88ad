"""Fills the templates of a message; one that fails is replaced by the standard one. Pure."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from traceback import walk_tb
from typing import Any

from jinja2 import Template, TemplateSyntaxError, meta

from sentinel_core.message.content import Medium
from sentinel_core.message.document import Document
from sentinel_core.message.escaping import ESCAPES, HTML, Ready
from sentinel_core.message.template_language import Language
from sentinel_core.message.truncate import truncate
from sentinel_core.wording.text import flat

PARTS: dict[Medium, dict[str, int]] = {
    Medium.SLACK: {"title": 600, "body": 2_900},
    Medium.EMAIL: {"subject": 200, "text": 100_000, "html": 400_000},
    Medium.MARKDOWN: {"title": 400, "body": 1_300},
    Medium.PLAIN: {"title": 400, "body": 8_000},
    Medium.PAGERDUTY: {"summary": 1_024},
    Medium.SHORT: {"body": 240},
}
"""The parts a rule can have its own template for, and how many characters each may have."""

SOURCE_LIMIT = 20_000  # characters of one template
ONE_LINE = frozenset({"title", "subject", "summary"})
_BLANK_LINES = re.compile(r"\n[ \t]*(\n[ \t]*)+")


@cache
def language(medium: Medium, *, html: bool) -> Language:
    """The language of a medium's templates; the HTML part of an email has its own."""
    return Language(HTML if html else ESCAPES[medium])


@lru_cache(maxsize=256)
def _compiled(medium: Medium, source: str, *, html: bool) -> Template:
    if len(source) > SOURCE_LIMIT:
        raise TemplateSyntaxError(f"longer than {SOURCE_LIMIT:,} characters", 1)
    return language(medium, html=html).from_string(source)


@cache
def standard(medium: Medium, part: str) -> str:
    """The source of the template used where a rule has none of its own."""
    folder = files("sentinel_core.message") / "templates" / medium.value
    return (folder / f"{part}.j2").read_text(encoding="utf-8")


def is_for_groups(medium: Medium, source: str) -> bool:
    """True if a template is made for groups: it mentions `events` or `count`."""
    parsed = language(medium, html=False).parse(source)
    return bool({"events", "count"} & meta.find_undeclared_variables(parsed))


def write(medium: Medium, part: str, source: str, values: Mapping[str, Any]) -> str:
    """The text a template makes, cut to the limit of its part. Raises what the template raises."""
    html, limit = part == "html", PARTS[medium][part]
    output = language(medium, html=html).run(_compiled(medium, source, html=html), values, limit)
    if html:
        if len(output) > limit:
            raise ValueError(f"longer than {limit:,} characters")
        return output
    if part in ONE_LINE or medium is Medium.SHORT:
        output = flat(output, 4 * limit)
    return truncate(medium, _BLANK_LINES.sub("\n\n", output), limit)


def values_of(document: Document) -> dict[str, Any]:
    """All values that templates can name."""
    names = ("colour", "title", "lead", "quote", "against", "suggestion", "trend", "foot")
    return {
        **{name: getattr(document, name) for name in (*names, "runbook", "events")},
        "mark": Ready(document.mark),
        "facts": [{"name": name, "value": value} for name, value in document.facts],
        "links": [{"label": label, "url": url} for label, url in document.links],
        "tables": [
            {
                "title": table.title,
                "columns": [
                    {"name": name, "is_number": table.is_numeric(n)}
                    for n, name in enumerate(table.columns)
                ],
                "rows": [[asdict(cell) for cell in row] for row in table.rows],
                "more": table.more(),
            }
            for table in document.tables
        ],
        "event": document.events[0] if document.events else None,
        "count": len(document.events),
    }


@dataclass(slots=True)
class Writer:
    """Writes the parts of one message; `notes` name the rule's templates that failed, and why."""

    medium: Medium
    document: Document
    own: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def write(self, part: str) -> str:
        """One part: the rule's own text if its template works, else the standard text."""
        return self.written_by_rule(part) or self.standard(part)

    def written_by_rule(self, part: str) -> str | None:
        """The rule's own text of a part; None without a template that works for these events."""
        source = self.own.get(part)
        if not isinstance(source, str):
            return None
        try:
            if len(self.document.events) > 1 and not is_for_groups(self.medium, source):
                return None
            output = write(self.medium, part, source, self._values())
        except Exception as error:  # a template must never prevent a message
            self.notes.append(
                f"The rule's template for {self.medium.value} {part} failed, this is the standard "
                f"text: {explained(error)}"
            )
            return None
        if not output:
            self.notes.append(f"The rule's template for {self.medium.value} {part} was empty.")
        return output or None

    def standard(self, part: str) -> str:
        """The standard text of a part."""
        return write(self.medium, part, standard(self.medium, part), self._values())

    def _values(self) -> dict[str, Any]:
        return {**values_of(self.document), **self.more, "notes": list(self.notes)}


def explained(error: Exception) -> str:
    """The mistake in a template, with its line if that is known."""
    if isinstance(error, TemplateSyntaxError):
        return f"line {error.lineno}: {flat(error.message or 'no template', 300)}"
    text = flat(str(error) or type(error).__name__, 300)
    # Jinja puts the template's own lines into the traceback.
    steps = walk_tb(error.__traceback__)
    lines = [line for frame, line in steps if frame.f_code.co_filename == "<template>"]
    return f"line {lines[-1]}: {text}" if lines else text
