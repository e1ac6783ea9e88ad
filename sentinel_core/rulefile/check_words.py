"""Checks for words that YAML 1.1 reads in its own way where the field takes that reading silently.

A field that refuses the reading has an error already, which explains it.
"""

from typing import Any

from prefect import Flow
from pydantic import TypeAdapter, ValidationError

from sentinel_core.rulefile.check_parameters import parameter_types
from sentinel_core.rulefile.source import Entry, RuleFile, Where, dig
from sentinel_core.rulefile.yaml_words import Word, words_below

MOST_WORDS = 24
"""Words that are looked at in a deployment: each is tried in both readings."""
_TEXTS = ("name", "description", "version", "flow_name", "tags", "schedules", "schedule")
_FREE = ("work_pool", "job_variables")


def check_words(file: RuleFile, entry: Entry, flow: Flow[..., Any]) -> None:
    """Note keys that are no longer what was written, and values that may not be."""
    node = file.node(("deployments", entry.index))
    types = parameter_types(flow)
    for number, (path, word, is_key) in enumerate(words_below(node) if node else ()):
        if number == MOST_WORDS:
            message = (
                f"more than {MOST_WORDS} words that YAML 1.1 reads in its own way: only the first "
                f"{MOST_WORDS} were looked at; quote those that are text"
            )
            file.complain(entry, (), message, warning=True)
            return
        place: Where = ("deployments", entry.index, *path)
        if place in file.explained:
            continue
        level = "error" if is_key else _level(entry, types, path, word)
        if level is not None:
            file.explained.add(place)
            message = word.as_key if is_key else word.explained
            if level == "warning":
                message = word.warning
            file.complain(entry, path, message, warning=level == "warning")


def _level(entry: Entry, types: dict[str, Any], path: Where, word: Word) -> str | None:
    """`error` where only text is expected, `warning` where text may be meant."""
    if "parameters" in path[:3]:
        start = path.index("parameters") + 1
        name = path[start] if len(path) > start else None
        if not isinstance(name, str) or name not in types:
            return None
        value = dig(entry.config, path[: start + 1])
        if isinstance(value, dict) and "__prefect_kind" in value:
            return None  # computed by Prefect's server
        return _level_by_type(types[name], value, path[start + 1 :], word)
    if path[:2] == _FREE:
        return "warning"
    # Anything but a date has an error there already.
    return "error" if path[0] in _TEXTS and _is_date(word) else None


def _level_by_type(annotation: Any, value: Any, path: Where, word: Word) -> str | None:
    adapter = TypeAdapter(annotation)
    try:
        by_1_1 = adapter.validate_python(value)
    except ValidationError:
        return None
    try:
        if adapter.validate_python(_replaced(value, path, word.other)) == by_1_1:
            return None
    except ValidationError:
        # A number is expected: only minutes in base 60 are not what they look like.
        return "warning" if ":" in word.raw and isinstance(word.value, int | float) else None
    if _is_date(word):
        try:
            adapter.validate_python(_replaced(value, path, 0))
        except ValidationError:
            return "error"
    return "warning"


def _is_date(word: Word) -> bool:
    return isinstance(word.value, str) and word.value != word.raw


def _replaced(value: Any, path: Where, new: Any) -> Any:
    """A copy of the value with something else at `path`."""
    if not path:
        return new
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _replaced(value[path[0]], path[1:], new)
    return copy
