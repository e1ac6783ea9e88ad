"""Small files of quotes and the check of what a rule makes of them.

The rule is the same everywhere: every ticker of the file, a last close above 100, on 2 March 2013.
A verdict is True (triggered), False (ok), or the start of the reason for which it was not checked.
A file that fails the check as a whole has one reason alone.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from triggers.market.price_surge import PriceSurge
from triggers.sources.errors import SourceError

NOW = datetime(2013, 3, 2, tzinfo=UTC)
Verdicts = dict[str, bool | str]

HEADER = "ticker,time,close\n"
A, B = "A,2013-03-01,101\n", "B,2013-03-01,99\n"
BOTH: Verdicts = {"A": True, "B": False}


def price(cell: str, line: int = 2) -> Verdicts:
    """Only A is not checked, because of its price."""
    return {"A": f"line {line}, column 'close', {cell}", "B": False}


def time(reason: str, line: int = 2) -> Verdicts:
    """Only A is not checked, because of its time."""
    return {"A": f"line {line} {reason}", "B": False}


def require_verdicts(
    path: Path, content: str | bytes, columns: Mapping[str, str], verdicts: Verdicts | str
) -> None:
    """Write the file, check it, and compare the outcome of each ticker."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    rule = PriceSurge.model_validate(
        {"source": str(path), "ticker": "*", "threshold": 100, "columns": dict(columns)}
    )
    if isinstance(verdicts, str):
        with pytest.raises(SourceError) as caught:
            rule.evaluate_all(rule.read(), NOW)
        assert verdicts in str(caught.value)
        return
    outputs = {one.ticker: one for one in rule.evaluate_all(rule.read(), NOW)}
    assert outputs.keys() == verdicts.keys()
    for ticker, verdict in verdicts.items():
        output = outputs[ticker]
        if isinstance(verdict, bool):
            assert (output.problem, output.triggered) == (None, verdict), output.message
            continue
        name = f"{ticker}: " if ticker else ""
        assert output.problem is not None
        assert output.message.startswith(f"{name}{verdict}"), output.message
        assert len(output.message) < 300
