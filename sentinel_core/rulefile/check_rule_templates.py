"""Checks a rule's own message templates: that they work, and that Prefect keeps them."""

from collections.abc import Iterator
from typing import Any

from sentinel_core.message.check_templates import check_templates
from sentinel_core.rulefile.check_parameters import given_parameters
from sentinel_core.rulefile.phrases import dotted
from sentinel_core.rulefile.placeholders import TEMPLATES, taken_by_prefect
from sentinel_core.rulefile.source import Entry, RuleFile, Where, dig


def check_rule_templates(file: RuleFile, entry: Entry) -> None:
    """Note every mistake in a rule's templates, and in those of its schedules."""
    for base, _ in given_parameters(entry):
        where: Where = (*base, TEMPLATES)
        given = dig(entry.config, where)
        reported = [problem.field for problem in file.problems if problem.deployment == entry.name]
        if not isinstance(given, dict) or any(one.startswith(dotted(where)) for one in reported):
            continue  # absent, or its form is wrong already
        for path, text in _texts(given):
            if entry.is_open((*where, *path)):
                continue  # a block or a variable of Prefect's, which only its API can fill
            part = {path[0]: {path[1]: text} if len(path) > 1 else text}
            for mistake in check_templates(part):
                file.complain(entry, (*where, *path), _message(mistake, path))
            check_braces(file, entry, (*where, *path))


def _texts(given: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each text by medium and part; a medium without parts by itself."""
    for medium, parts in given.items():
        if isinstance(parts, dict) and parts:
            yield from (((medium, part), text) for part, text in parts.items())
        elif not isinstance(parts, dict):
            yield (medium,), parts


def _message(mistake: str, path: tuple[str, ...]) -> str:
    """The mistake without its place, which the problem names. An unknown medium has no parts."""
    for length in range(len(path), 0, -1):
        place = f"{TEMPLATES}.{'.'.join(path[:length])}: "
        if mistake.startswith(place):
            return mistake.removeprefix(place)
    return mistake


def check_braces(file: RuleFile, entry: Entry, where: Where) -> None:
    """Warn of a template that `sentinel rules deploy` keeps and plain Prefect does not."""
    written = dig(file.data, ("deployments", entry.index, *where))
    taken = taken_by_prefect(written) if isinstance(written, str) else []
    if taken:
        name = taken[0].strip("{} ")
        message = (
            f"plain `prefect deploy` would replace {taken[0]} with nothing: "
            f"deploy with `sentinel rules deploy`, or write {{{{ ({name}) }}}}"
        )
        file.complain(entry, where, message, warning=True)
