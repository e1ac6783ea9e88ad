"""The language of templates: Jinja's, less everything that could run, reach out or never end.

A template prints values and text, chooses (`if`) and repeats (`for`). It has no calls, no macros,
no includes and no assignments, reads entries of plain data and no attribute of a Python object,
loops at most STEPS times in all, and what it prints from outside comes out as text of its medium.
"""

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sentinel_core.message.escaping import Escape, Ready
from sentinel_core.message.template_filters import FILTERS, Example
from sentinel_core.wording.text import moment, shorten

DEPTH = 40  # of one thing inside another; each filter of a chain is one
STEPS = 10_000  # turns of all loops together
_LOOP = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})
_TESTS = frozenset(
    (
        *("defined", "undefined", "none", "string", "number", "integer", "float", "boolean"),
        *("true", "false", "mapping", "sequence", "iterable", "odd", "even", "divisibleby", "in"),
        *("==", "eq", "equalto", "!=", "ne", "<", "lt", "lessthan", "<=", "le"),
        *(">", "gt", "greaterthan", ">=", "ge"),
    )
)
_WORDS: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For,
    nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Getattr, nodes.Getitem, nodes.Slice,
    nodes.Filter, nodes.Test, nodes.Keyword, nodes.CondExpr, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.Concat, nodes.Neg, nodes.Pos,
    nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod,
)  # fmt: skip
_HIDDEN = frozenset({"self", "varargs", "kwargs", "caller"})  # Jinja's own, of no use here
_REFUSED = {
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
_steps: ContextVar[list[int]] = ContextVar("steps")


class Language(ImmutableSandboxedEnvironment):
    """Jinja for one medium: `escape` makes text of what is printed."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, escape: Escape, *, html: bool = False) -> None:
        super().__init__(
            autoescape=html,
            undefined=StrictUndefined,
            finalize=_printed if html else _escaping(escape),
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=False,
            cache_size=0,
        )
        self.globals.clear()
        every = dict(self.filters)
        self.filters.clear()
        kept = ("default", "selectattr", "rejectattr", "sort", "unique", "reverse", "first")
        self.filters.update({name: every[name] for name in kept})
        self.filters.update(FILTERS)
        self.filters["quoted"] = _quoting(escape)
        self.filters["steps"] = _counting
        self.tests = {name: test for name, test in self.tests.items() if name in _TESTS}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`event.rule` is the entry `rule`; nothing else has attributes, but for `loop`."""
        if isinstance(obj, LoopContext) and attribute in _LOOP:
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
        return self.undefined(hint=f"there is no {shorten(str(argument), 80)!r} here")

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ARG002
        """Nothing is."""
        return False

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Sums of numbers: texts are joined with `~`, and never multiplied."""
        for side in (left, right):
            if isinstance(side, Undefined):
                str(side)  # says which one
            if not isinstance(side, int | float):
                raise SecurityError(f"{operator!r} is for numbers; texts are joined with ~")
        return super().call_binop(context, operator, left, right)

    def _generate(
        self,
        source: nodes.Template,
        name: str | None,
        filename: str | None,
        defer_init: bool = False,
    ) -> str:
        _keep_to_the_language(source)
        return super()._generate(source, name, filename, defer_init)

    def run(self, template: Template, values: Mapping[str, Any], limit: int) -> str:
        """What a template says of `values`, without blanks around it, stopped beyond `limit`."""
        token = _steps.set([STEPS])
        try:
            pieces, length = [], 0
            for piece in template.generate(values):
                pieces.append(piece)
                length += len(piece)
                if length > 2 * limit:
                    break
            return "".join(pieces).strip()
        finally:
            _steps.reset(token)


def _keep_to_the_language(node: nodes.Node, depth: int = 0) -> None:
    """Refuse what the language has no word for, and make every loop count its turns."""
    if depth > DEPTH:  # Jinja takes seconds for a few hundred
        raise TemplateSyntaxError("nested too deeply", node.lineno)
    for child in node.iter_child_nodes():
        if not isinstance(child, _WORDS):
            what = _REFUSED.get(type(child), type(child).__name__)
            raise TemplateSyntaxError(f"templates here do not offer {what}", child.lineno)
        if isinstance(child, nodes.Name) and child.name in _HIDDEN:
            raise TemplateSyntaxError(f"{child.name!r} is undefined", child.lineno)
        _keep_to_the_language(child, depth + 1)
        if isinstance(child, nodes.For):
            if child.recursive:
                raise TemplateSyntaxError("templates here do not offer recursive", child.lineno)
            child.iter = nodes.Filter(child.iter, "steps", [], [], None, None, lineno=child.lineno)


def _counting(items: Any) -> list[Any]:
    """What a loop runs over, as far as the steps that are left go."""
    if isinstance(items, Undefined):
        str(items)
    if isinstance(items, str) or not isinstance(items, Iterable):
        raise SecurityError("a loop runs over a list or the names of a mapping")
    left = _steps.get()
    listed = []
    for item in items:
        left[0] -= 1
        if left[0] < 0:
            raise SecurityError(f"more than {STEPS:,} turns of loops")
        listed.append(item)
    return listed


def _quoting(escape: Escape) -> Callable[..., Ready]:
    def quoted(value: Any, limit: int | None = None) -> Ready:
        return escape.quoted(str.__str__(str(_printed(value))), limit)

    return quoted


def _printed(value: Any) -> Any:
    """Values as people read them: nothing for None, times in UTC."""
    if isinstance(value, Undefined):
        return str(value)  # raises, and says which one
    if value is None:
        return ""
    if isinstance(value, datetime):
        return moment(value.astimezone(UTC))
    return value


def _escaping(escape: Escape) -> Callable[[Any], str]:
    def finalize(value: Any) -> str:
        printed = _printed(value)
        return printed if isinstance(printed, Ready) else escape.inline(str(printed), 2_000)

    return finalize
