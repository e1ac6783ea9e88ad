"""Outputs nobody should return, and somebody will."""

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

_CYCLE: dict[str, Any] = {}
_CYCLE["again"] = _CYCLE
_LAUGHS: list[Any] = ["ha"]
for _ in range(20):
    _LAUGHS = [_LAUGHS] * 10
_DEEP: list[Any] = []
for _ in range(5_000):
    _DEEP = [_DEEP]


class Rude:
    """An object that cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text for you")


HARMLESS: dict[str, dict[str, Any]] = {
    "a message of 20 kB": {"message": "x" * 20_000},
    "a message of 1 MB": {"message": "né\n" * 350_000},
    "control characters": {"message": "".join(map(chr, range(32))) + "\x7f\x85\x9b31m"},
    "NUL bytes": {"message": "a\0b", "ticker": "a\0b", "metadata": {"a\0": "b\0"}},
    "lone surrogates": {
        "message": "\ud800 up",
        "ticker": "\udfff",
        "metadata": {"\ud800": ["\udc00"]},
        "metrics": {"\ud800": 1.0},
    },
    "a channel ping": {"message": "<!channel> <@U1> <https://evil.example|here>"},
    "HTML": {"message": "<script>alert(1)</script><img src=x onerror=alert(1)>"},
    "SQL": {"ticker": "'; DROP TABLE alert_event; --", "message": "%s %(a)s :b ? {x}"},
    "a ticker of lines": {"ticker": "AAPL\nNVDA\r\n\tTSLA "},
    "emoji and right-to-left marks": {
        "ticker": "🚀👩‍👩‍👧 \u202egnp.exe",
        "message": "\u200f\u2067שלום",
    },
    "line separators": {"message": "one\u2028two\u2029three\x0bfour\x0cfive"},
    "NaN in metadata": {
        "metadata": {"nan": math.nan, "inf": math.inf, "list": [-math.inf, np.float32("nan")]}
    },
    "NumPy scalars": {
        "triggered": np.bool_(True),
        "metrics": {"a": np.float32(1.5), "b": np.int64(3), "c": np.float64(2.5)},
        "metadata": {"a": np.int64(3), "b": np.bool_(False), "c": np.arange(3), "d": np.str_("x")},
        "ticker": np.str_("AAPL"),
    },
    "pandas values": {
        "metadata": {
            "row": pd.Series({"close": 1.5, "volume": 3}).to_dict(),
            "when": pd.Timestamp("2026-11-02T09:00Z"),
            "missing": [pd.NaT, pd.NA],
            "series": pd.Series([1, 2]),
            "frame": pd.DataFrame({"a": [1]}),
        },
        "timestamp": pd.Timestamp("2026-11-02T09:00Z"),
    },
    "keys that are not text": {"metadata": {1: "a", None: "b", (1, 2): "c", 1.5: "d"}},
    "the largest numbers": {
        "metrics": {"max": 1.7976931348623157e308, "min": 5e-324, "round": 1e22},
        "metadata": {"int": 10**400, "float": 1e308, "decimal": Decimal("NaN")},
    },
    "objects": {"metadata": {"object": object(), "bytes": b"\xff", "endless": iter(int, 1)}},
    "1,000 metrics": {"metrics": {f"m{n}": float(n) for n in range(1_000)}},
}
"""Refused by nobody: recorded, shown and sent as something harmless."""

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a metric that is NaN": ({"metrics": {"cpu": math.nan}}, "metric 'cpu' is nan"),
    "an infinite metric": ({"metrics": {"cpu": -math.inf}}, "metric 'cpu' is -inf"),
    "a metric beyond every float": ({"metrics": {"cpu": 10**400}}, "metrics.cpu: .*valid number"),
    "a metric that is no number": ({"metrics": {"cpu": None}}, "metrics.cpu: .*valid number"),
    "a metric without a name": ({"metrics": {1: 2.0}}, "metrics"),
    "1,001 metrics": ({"metrics": {f"m{n}": 0.0 for n in range(1_001)}}, "more than 1,000"),
    "a naive timestamp": ({"timestamp": pd.Timestamp("2026-11-02").to_pydatetime()}, "timezone"),
    "a timestamp that is missing": ({"timestamp": pd.NaT}, "timestamp"),
    "the year 1": (
        {"timestamp": "0001-01-01T00:00:00+02:00"},
        "not a plausible time of a measurement",
    ),
    "triggered as text": ({"triggered": "yes"}, "triggered: .*boolean"),
    "triggered unknown": ({"triggered": None}, "triggered: .*boolean"),
    "triggered missing, as pandas says it": ({"triggered": pd.NA}, "triggered: .*boolean"),
    "metadata that is a list": ({"metadata": [1]}, "metadata: .*dictionary"),
    "metadata that contains itself": ({"metadata": _CYCLE}, "nested deeper than 32"),
    "metadata 5,000 levels deep": ({"metadata": {"x": _DEEP}}, "nested deeper than 32"),
    "metadata that multiplies": ({"metadata": {"x": _LAUGHS}}, "more than 262,144 values"),
    "metadata of a megabyte": ({"metadata": {"x": "y" * 1_000_000}}, "more than 262,144"),
    "an integer of 5,000 digits": ({"metadata": {"x": 10**5_000}}, "metadata: "),
    "metadata without text": ({"metadata": {"x": Rude()}}, "metadata has a Rude without text"),
    "a ticker of 201 characters": ({"ticker": "x" * 201}, "ticker: .*at most 200"),
    "an importance of its own": ({"importance": "urgent"}, "importance: "),
    "a field nobody knows": ({"severity": "high"}, "severity: "),
}
"""Refused with a text that says what is wrong."""


def returned_by_triggers() -> dict[str, Any]:
    """What a trigger may return that is no output at all."""
    return {
        "nothing": None,
        "a dictionary": {"triggered": True},
        "a text": "triggered",
        "True": True,
        "a generator": (n for n in range(3)),
        "a data frame": pd.DataFrame({"triggered": [True]}),
        "a list with a None": [None],
        "a list of lists": [[]],
    }
