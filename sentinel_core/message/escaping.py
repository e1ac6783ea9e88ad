"""Escapes text from outside for the markup of each medium. Pure.

Each medium has an `Escape`: `inline` for a value on a line of the message, `quoted` for a longer
text quoted line by line. The result is `Ready`, markup that is not escaped again.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import escape as html_escape

from sentinel_core.message.content import Medium
from sentinel_core.model.cleaning import clean_text
from sentinel_core.wording.text import fitting, flat, shorten

PRINT_LIMIT = 2_000
QUOTE_LIMIT = 2_000  # characters; Slack folds longer texts, and the blotter has the whole
JOINER = "\N{WORD JOINER}"
_NON_JOINER = "\N{ZERO WIDTH NON-JOINER}"
_EMOJI = re.compile(r":(?=[\w+'-]*[A-Za-z+][\w+'-]*:|100:|1234:)", re.ASCII)
_SLACK_MARKS = re.compile(r"[*~`]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_MARKDOWN_MARKS = re.compile(r"[\\`*\[\]<>#~|{}$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_MARKDOWN_START = re.compile(r"^(\s*)([-+=>:])")
_MARKDOWN_NUMBER = re.compile(r"^\s*\d{1,9}(?=[.)](?:\s|$))")
_ENTITY = re.compile(r"&(?=#?\w+;)")


class Ready(str):
    """Markup made by Sentinel, printed as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return str.__str__(self)


def slack_escape(text: str) -> str:
    """Slack's three control characters as entities: no mention, no link, no channel ping."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _slack(text: str) -> str:
    """Escaped, without formatting or emoji; an underscore inside a name stays as it is."""
    text = _SLACK_MARKS.sub(lambda mark: mark[0] + JOINER, text)
    text = _EMOJI.sub(":" + JOINER, text)
    # At the start of a line, Slack treats even the entity as a quotation. The character differs
    # from the joiner above, as it may follow a mark of our own.
    return slack_escape(_NON_JOINER + text if text.startswith(">") else text)


def _markdown(text: str) -> str:
    """Escaped for all dialects of Markdown, without mentions."""
    text = _MARKDOWN_MARKS.sub(lambda mark: "\\" + mark[0], text)
    # At the start of a line: the number of a list, or a mark of a list, heading or quotation.
    text = _MARKDOWN_NUMBER.sub(r"\g<0>" + JOINER, text)
    text = _MARKDOWN_START.sub(r"\1\\\2", text)
    return _ENTITY.sub("&amp;", text).replace("@", "@" + JOINER)


@dataclass(frozen=True, slots=True)
class Escape:
    """The escaping of text for one medium."""

    line: Callable[[str], str]
    before: str = "> "  # of each quoted line
    between: str = "\n"
    one_line: bool = True  # a printed value is kept on one line, of at most PRINT_LIMIT characters

    def printed(self, value: object) -> Ready:
        """A value printed by a template; markup made by Sentinel is not escaped again."""
        if isinstance(value, Ready):
            return value
        text = str(value)
        return self.inline(text, PRINT_LIMIT) if self.one_line else Ready(self.line(text))

    def inline(self, text: str, limit: int = 200) -> Ready:
        """A value on one line of the message."""
        return Ready(self.line(flat(text, limit)))

    def quoted(self, text: str, limit: int | None = None) -> Ready:
        """All lines of a text, each marked as quoted; at most `limit` characters when escaped."""
        cut = shorten(clean_text(text).strip(), QUOTE_LIMIT)

        def mark(part: str) -> str:
            return self.between.join(self.before + self.line(line) for line in part.splitlines())

        quotation = fitting(cut, limit, mark) if limit else mark(cut)
        return Ready(quotation or f"{self.before}(no message)")


ESCAPES = {
    Medium.SLACK: Escape(_slack),
    Medium.MARKDOWN: Escape(_markdown),
    Medium.PLAIN: Escape(str),
    Medium.SHORT: Escape(str, before="", between=" "),
    Medium.PAGERDUTY: Escape(str, before="", between=" "),
    Medium.EMAIL: Escape(str),
}
"""By medium; for email, the plain text part."""

HTML = Escape(lambda text: str(html_escape(text)), before="", between="<br>", one_line=False)
"""The HTML part of an email."""
