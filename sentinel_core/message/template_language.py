"""The language of templates: sandboxed Jinja that calls nothing, ends soon and prints only text.

It restricts Jinja's sandbox further: no calls, macros, includes or assignments; entries of
plain data and no attributes of Python objects; at most STEPS turns of all loops; every filter takes
and returns at most RESULT_LIMIT characters or ITEMS elements; values are escaped for their medium.
"""

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sentinel_core.message.escaping import Escape
from sentinel_core.model.times import span
from sentinel_core.wording import text as words
from sentinel_core.wording.sparkline import sparkline
from sentinel_core.wording.times import moment

DEPTH = 40  # of nested expressions; each filter of a chain counts
STEPS = 10_000  # turns of all loops together
RESULT_LIMIT = 20_000  # characters of any text
ITEMS = 1_000  # elements of any list a filter takes or returns
_COUNTER = " steps"  # a key of the values that no template can name
_TIME_FORMAT = re.compile(r"(%[aAbBdeHIjmMpSyYZ%]|[^%]){1,60}")
REFUSED: dict[type[nodes.Node], str] = {
    nodes.Call: "a call: templates have filters (`value|upper`) but call nothing",
    nodes.Assign: "{% set %}",
    nodes.AssignBlock: "{% set %}",
    nodes.Macro: "{% macro %}",
    nodes.CallBlock: "{% call %}",
    nodes.FilterBlock: "{% filter %}",
    nodes.Include: "{% include %}",
    nodes.Import: "{% import %}",
    nodes.FromImport: "{% import %}",
    nodes.Extends: "{% extends %}",
    nodes.Block: "{% block %}",
    nodes.With: "{% with %}",
    nodes.ScopedEvalContextModifier: "{% autoescape %}",
    nodes.Pow: "**",
    nodes.Dict: "{…: …}",
}


class Example(str):
    """Unknown metadata of an example event, usable as a text, a number or a mapping."""

    __slots__ = ()

    def __float__(self) -> float:
        return 1.0


class Language(ImmutableSandboxedEnvironment):
    """Jinja for one medium: `escape` turns values into text of its markup."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self, escape: Escape) -> None:
        super().__init__(
            undefined=StrictUndefined,
            finalize=lambda value: escape.printed(_printable(value)),
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=0,
        )
        self.globals.clear()
        self.filters = {
            **{name: FILTERS[name] for name in _OF_JINJA},
            **{name: _bounded(FILTERS[name]) for name in _OF_JINJA_BOUNDED},
            **{name: _bounded(own) for name, own in _OWN.items()},
            "quoted": lambda value, limit=None: escape.quoted(str(_printable(value)), limit),
            "steps": _counted,
        }
        self.tests = {name: test for name, test in self.tests.items() if name != "callable"}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`event.rule` is the entry `rule`; only `loop` has attributes."""
        if isinstance(obj, LoopContext):
            return super().getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An entry of a mapping, or an element of a list by its number."""
        if isinstance(obj, Example):
            return obj
        if isinstance(obj, Mapping | list | tuple):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                pass
        return self.undefined(hint=f"there is no {words.shorten(str(argument), 80)!r} here")

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ARG002
        """Always False: templates call nothing."""
        return False

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic, for numbers only: texts are joined with `~`."""
        for side in (left, right):
            if not isinstance(_defined(side), int | float):
                raise SecurityError(f"{operator!r} is for numbers; texts are joined with ~")
        return super().call_binop(context, operator, left, right)

    def _generate(self, source: nodes.Template, *args: Any, **more: Any) -> str:
        _restrict(source)
        return super()._generate(source, *args, **more)

    def run(self, template: Template, values: Mapping[str, Any], limit: int) -> str:
        """The stripped text of a template with these values, up to about `limit` characters."""
        pieces, length = [], 0
        for piece in template.generate({**values, _COUNTER: [STEPS]}):
            pieces.append(piece)
            length += len(piece)
            if length > 2 * limit:
                break
        return "".join(pieces).strip()


def _restrict(node: nodes.Node, depth: int = 0) -> None:
    """Refuse forbidden nodes, and make every loop count its turns."""
    if depth > DEPTH:  # Jinja needs seconds for a few hundred levels
        raise TemplateSyntaxError("nested too deeply", node.lineno)
    for child in node.iter_child_nodes():
        if type(child) in REFUSED:
            what = REFUSED[type(child)]
            raise TemplateSyntaxError(f"templates here do not offer {what}", child.lineno)
        if isinstance(child, nodes.Name) and child.name == "self":
            raise TemplateSyntaxError("'self' is undefined", child.lineno)
        _restrict(child, depth + 1)
        if isinstance(child, nodes.For):
            child.iter = nodes.Filter(child.iter, "steps", [], [], None, None, lineno=child.lineno)


def _defined(value: Any) -> Any:
    """The value; a missing one raises an error that names it."""
    if isinstance(value, Undefined):
        str(value)
    return value


def _printable(value: Any) -> Any:
    """The printed form of a value: empty for None, times in UTC."""
    if _defined(value) is None:
        return ""
    return moment(value) if isinstance(value, datetime) else value


def _elements(value: Any, error: str) -> Iterable[Any]:
    if isinstance(_defined(value), str) or not isinstance(value, Iterable):
        raise SecurityError(error)
    return value


@pass_context
def _counted(context: Context, items: Any) -> list[Any]:
    """The elements of a loop, which count towards the limit of all loops."""
    left = context[_COUNTER]
    listed = list(
        islice(_elements(items, "a loop runs over a list or the names of a mapping"), left[0] + 1)
    )
    left[0] -= len(listed)
    if left[0] < 0:
        raise SecurityError(f"more than {STEPS:,} turns of loops")
    return listed


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter with arguments and result of bounded length."""

    @functools.wraps(function)  # keeps Jinja's mark of filters that take the environment first
    def apply(*args: Any, **more: Any) -> Any:
        return _limited(function(*(_limited(arg) for arg in args), **more))

    return apply


def _limited(value: Any) -> Any:
    if isinstance(_defined(value), str) and not isinstance(value, Example):
        return words.shorten(str(value), RESULT_LIMIT)
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        return list(islice(value, ITEMS))
    return value


def _list(value: Any) -> list[Any]:
    return list(_elements(value, "this filter takes a list"))


def _number(value: Any) -> float:
    """A number, also from text."""
    return value if isinstance(value, int | float) else float(value)


def _replace(value: Any, old: Any, new: Any) -> str:
    text, before, after = str(value), str(old), str(new)
    if not before:
        return text
    if len(text) + text.count(before) * (len(after) - len(before)) > RESULT_LIMIT:
        raise SecurityError(f"replace would make more than {RESULT_LIMIT:,} characters")
    return text.replace(before, after)


def _join(value: Any, between: Any = "") -> str:
    glue, pieces, length = str(between), list[str](), 0
    for item in _list(value):
        pieces.append(str(item))
        length += len(pieces[-1]) + len(glue)
        if length > RESULT_LIMIT:
            break
    return glue.join(pieces)


def _map(value: Any, *, attribute: str) -> list[Any]:
    items = _list(value)
    if not all(isinstance(item, Mapping) and attribute in item for item in items):
        raise SecurityError(f"not every element has {attribute!r}")
    return [item[attribute] for item in items]


def _when(value: Any, form: str = "%Y-%m-%d %H:%M:%S UTC") -> str:
    if not isinstance(value, datetime):
        raise SecurityError("`when` takes a time")
    if not _TIME_FORMAT.fullmatch(form):
        raise SecurityError(f"{words.shorten(form, 60)!r} is no form for a time")
    return value.astimezone(UTC).strftime(form)


_OF_JINJA = ("default", "selectattr", "rejectattr", "sort", "unique", "reverse", "first")
_OF_JINJA_BOUNDED = ("upper", "lower", "title", "capitalize", "trim", "length", "count", "items",
                     "min", "max")  # fmt: skip
_OWN: dict[str, Callable[..., Any]] = {
    "replace": _replace,
    "join": _join,
    "map": _map,
    "sum": lambda value: sum(_number(item) for item in _list(value)),
    "abs": lambda value: abs(_number(value)),
    "int": lambda value: int(_number(value)),
    "float": lambda value: float(_number(value)),
    # Python takes very long for an integer and a large negative number of digits.
    "round": lambda value, digits=0: round(_number(value), max(min(int(digits), 15), -15)),
    "figure": lambda value: words.figure(_number(value)),
    "span": lambda value: span(_number(value)),
    "shorten": lambda value, limit=80: words.shorten(str(value), max(int(limit), 1)),
    "when": _when,
    "sparkline": lambda value: sparkline([_number(item) for item in _list(value)]),
}
