"""The next step for a run that failed, by its state and the type of its exception."""

import socket
from typing import Any

from prefect.client.schemas.objects import State

from sentinel_core.model.fault import REFUSALS, Fault
from sentinel_core.model.run import TIMED_OUT

CODE = "Look at the code where the exception was raised: it is in the evidence."
_MOST_CAUSES = 10
# By name: these libraries are people's own, and need not be installed.
_TIMEOUTS = {
    *("builtins.TimeoutError", "httpx.TimeoutException", "requests.exceptions.Timeout"),
    *("urllib3.exceptions.TimeoutError", "aiohttp.client_exceptions.ServerTimeoutError"),
}
_CONNECTIONS = {
    *("builtins.ConnectionError", "httpx.NetworkError", "requests.exceptions.ConnectionError"),
    *("urllib3.exceptions.NewConnectionError", "aiohttp.client_exceptions.ClientConnectionError"),
    f"{socket.gaierror.__module__}.gaierror",
}


def next_step(state: State[Any], error: BaseException | None) -> str:
    """The suggestion for a run that ended in `state` with this exception; "" without one."""
    if state.name == TIMED_OUT:
        return Fault.TIMEOUT.next_step
    if error is None:
        return ""
    fault = _fault(error)
    return fault.next_step if fault is not None else CODE


def _fault(error: BaseException) -> Fault | None:
    """The kind of fault of an exception or of what caused it, the outermost first."""
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if cause is None:
            return None
        names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(cause).__mro__}
        if _status(cause) in REFUSALS:
            return Fault.REFUSED
        if names & _TIMEOUTS:
            return Fault.TIMEOUT
        if names & _CONNECTIONS:
            return Fault.CONNECTION
        cause = cause.__cause__ or cause.__context__
    return None


def _status(error: BaseException) -> object:
    """The HTTP status that an exception carries, as the usual libraries name it."""
    response = getattr(error, "response", None)
    for holder, name in ((response, "status_code"), (error, "status"), (error, "code")):
        status = getattr(holder, name, None)
        if isinstance(status, int):
            return status
    return None
