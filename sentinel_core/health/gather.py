"""Runs checks side by side, each with a time limit, so that one dead thing never hangs the rest."""

import contextvars
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from sentinel_core.base.errors import PrefectUnreachableError, SentinelError
from sentinel_core.health.finding import Finding, State
from sentinel_core.wording.text import flat, without_userinfo


@dataclass(frozen=True, slots=True)
class Check:
    """One look at something: what it is about, the call, and for how long it is waited for."""

    component: str
    name: str
    look: Callable[[], Sequence[Finding]]
    seconds: float


@dataclass(slots=True)
class _Running:
    check: Check
    ends: float
    findings: Sequence[Finding] | None = None
    done: threading.Event = field(default_factory=threading.Event)


def gather(checks: Sequence[Check]) -> list[Finding]:
    """The findings of all checks, in their order. Never raises for what a check raises.

    A check that takes too long is left behind in its thread, which ends with the process.
    """
    running = [_started(check) for check in checks]
    found: list[Finding] = []
    for item in running:
        item.done.wait(max(0.0, item.ends - time.monotonic()))
        found += item.findings if item.findings is not None else [_too_late(item.check)]
    return found


def _started(check: Check) -> _Running:
    running = _Running(check, time.monotonic() + check.seconds)
    # Prefect keeps its settings in the context, without which a thread would read others.
    context = contextvars.copy_context()

    def work() -> None:
        running.findings = _looked(check)
        running.done.set()

    threading.Thread(
        target=context.run, args=(work,), name=f"check {check.component}", daemon=True
    ).start()
    return running


def _looked(check: Check) -> Sequence[Finding]:
    try:
        return check.look()
    except PrefectUnreachableError:
        sentence = "not checked, as Prefect's API does not answer"
        return [_unknown(check, sentence, "see what is said about Prefect")]
    except SentinelError as error:
        return [_unknown(check, f"not checked: {flat(str(error), 500)}", "")]
    except httpx.HTTPError as error:
        text = flat(without_userinfo(str(error)), 300)
        sentence = f"not checked, as Prefect's API reports an error: {text}"
        return [_unknown(check, sentence, "look at the log of Prefect's server")]
    except Exception as error:
        text = flat(without_userinfo(f"{type(error).__name__}: {error}"), 300)
        return [_unknown(check, f"not checked, as the check itself failed: {text}", "report it")]


def _too_late(check: Check) -> Finding:
    return _unknown(
        check,
        f"not checked: no answer within {check.seconds:g} s",
        "look at what it depends on, or give it longer with --seconds",
    )


def _unknown(check: Check, sentence: str, advice: str) -> Finding:
    return Finding(
        component=check.component,
        name=check.name,
        state=State.UNKNOWN,
        sentence=sentence,
        advice=advice,
    )
