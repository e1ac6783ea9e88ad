"""Frozen dataclasses that are made as fast as others. Pure.

A frozen dataclass sets each field through `object.__setattr__`, which for the ones that a decision
makes takes as long as deciding: benchmarks/replay.py does half as many without this.
"""

from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, TypeVar

T = TypeVar("T")


def quick(cls: type[T]) -> type[T]:
    """Give a frozen dataclass with slots a constructor that does the same in a fifth of the time.

    While its fields are set, the new object is of a twin class that is not frozen. Nobody else has
    it yet; once it is made it is as frozen as any. Raises TypeError for other kinds of classes.
    """
    if not hasattr(cls, "__slots__") or not hasattr(cls, "__dataclass_fields__"):
        raise TypeError(f"{cls.__name__} is no dataclass with slots")
    if hasattr(cls, "__post_init__"):
        raise TypeError(f"{cls.__name__} has a __post_init__, which would not be called")
    twin = type(cls.__name__, (), {"__slots__": vars(cls)["__slots__"]})
    cls.__init__ = _constructor(cls, twin)  # type: ignore[method-assign]
    return cls


def _constructor(cls: type[Any], twin: type[Any]) -> Callable[..., None]:
    names: dict[str, Any] = {"become": object.__setattr__, "twin": twin, "cls": cls}
    given, body = ["self"], ["become(self, '__class__', twin)"]
    for field in fields(cls):
        name, value = field.name, field.name
        if field.default is not MISSING:
            names[f"_default_{name}"] = field.default
            given.append(f"{name}=_default_{name}")
        elif field.default_factory is not MISSING:
            names |= {f"_make_{name}": field.default_factory, "MISSING": MISSING}
            given.append(f"{name}=MISSING")
            value = f"_make_{name}() if {name} is MISSING else {name}"
        else:
            given.append(name)
        body.append(f"self.{name} = {value}")
    body.append("self.__class__ = cls")
    lines = "\n    ".join([f"def __init__({', '.join(given)}):", *body])
    exec(lines, names)  # noqa: S102 (names of our own fields, as dataclasses itself does it)
    made: Callable[..., None] = names["__init__"]
    return made
