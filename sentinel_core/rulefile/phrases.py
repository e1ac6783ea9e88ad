"""Values, paths and suggestions as the messages about a file show them."""

import difflib
from collections.abc import Sequence

from pydantic_core import ErrorDetails

from sentinel_core.model.cleaning import clean_text
from sentinel_core.wording.text import shorten as cut


def dotted(path: Sequence[str | int]) -> str:
    """`("schedules", 0, "cron")` as `schedules[0].cron`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{shorten(part)}" if text else shorten(part)
    return text


def did_you_mean(given: object, known: Sequence[str], cutoff: float = 0.6) -> str:
    """`; did you mean …?`, or the known names when none is similar and they are few."""
    near = difflib.get_close_matches(str(given)[:80], known, 1, cutoff)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known: {', '.join(known)}" if 0 < len(known) <= 25 else ""  # noqa: PLR2004


def kind(value: object) -> str:
    """The kind of a value in YAML's terms, and a simple value itself."""
    words = {dict: "a mapping", list: "a list", str: "text", bool: "true or false"}
    words |= {int: "a number", float: "a number", type(None): "nothing"}
    name = words.get(type(value), type(value).__name__)
    return f"{name} ({shown(value)})" if isinstance(value, str | int | float) else name


def shown(value: object) -> str:
    """A value for a message: short, on one line, without control characters."""
    return "nothing" if value is None else shorten(clean_text(repr(value)))


def shorten(text: str, most: int = 80) -> str:
    """At most `most` characters, on one line."""
    return cut(" ".join(text.split()), most)


def plain_message(item: ErrorDetails) -> str:
    """The message of a validation error in the form of ours: `expected …`."""
    text = item["msg"].removeprefix("Value error, ")
    if text.startswith("Input should be "):
        return f"expected {text.removeprefix('Input should be ')}"
    return f"{text[:1].lower()}{text[1:]}"
