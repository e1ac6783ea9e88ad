"""`sentinel status`: the state of the whole in one answer, with a score."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sentinel_core.cli.options import CheckSeconds, Json

if TYPE_CHECKING:
    from sentinel_core.health.status import Component, HostUse, Status

# 1 and 2 are those of every command: it could not be done, and wrong usage.
EXIT_CODES = {"ok": 0, "degraded": 3, "down": 4, "unknown": 5}


def status(
    *,
    component: Annotated[str | None, Parameter(help="Only this component, like store.")] = None,
    seconds: CheckSeconds = 10,
    as_json: Json = False,
) -> int:
    """Show each component's state, the score with its parts, and how checking went lately.

    Exits with 0 when all is ok, 3 when degraded, 4 when down, 5 when it could not be checked.
    """
    import contextlib
    import sys

    from sentinel_core.base.errors import UsageError
    from sentinel_core.cli.output import print_json
    from sentinel_core.health import status as health
    from sentinel_core.health.score import WEIGHTS

    if component is not None and component not in WEIGHTS:
        raise UsageError(
            f"there is no component {component[:60]!r}: name one of {', '.join(WEIGHTS)}"
        )
    with contextlib.redirect_stdout(sys.stderr):  # libraries that print
        found = health.status(seconds)
    if component is None:
        if as_json:
            print_json(found.model_dump(mode="json"))
        else:
            _print(found)
        return EXIT_CODES[found.state.value]
    one = found.component(component)
    if as_json:
        print_json(one.model_dump(mode="json"))
    else:
        print(f"{one.name}: {one.state.value}, {one.sentence}")
    return EXIT_CODES[one.state.value]


def _print(found: "Status") -> None:
    from sentinel_core.cli.output import print_table

    points = {part.component: f"{part.points:g}/{part.weight}" for part in found.parts}
    print(f"{found.state.value}, score {found.score} of 100")
    print_table(
        ("component", "state", "points", "about it"),
        [
            (one.name, one.state.value, points[one.name], " -> ".join(_sentences(one)))
            for one in found.components
        ],
    )
    if (rates := found.rates) is None:
        print("rates: not known, as the store can't be read")
        return
    late = rates.lateness_p50_seconds, rates.lateness_p95_seconds
    words = [f"{rates.evaluations_per_minute:.1f} evaluations a minute"]
    if late[0] is not None and late[1] is not None:
        words.append(f"lateness p50 {late[0]:.1f} s, p95 {late[1]:.1f} s")
    if rates.error_rate is not None:
        words.append(f"{rates.error_rate:.1%} of {rates.runs:,} runs without a result")
    print(f"last {rates.minutes:.0f} min: {', '.join(words)}")
    for host in found.hosts:
        print(f"host {host.host}: {_in_use(host)}")
    if (listed := len(found.hosts)) < found.host_count:
        print(f"{listed} of {found.host_count:,} hosts are listed")


def _in_use(host: "HostUse") -> str:
    """What of a host is in use, and what of it is above its limit."""
    cpu = "unknown" if host.cpu is None else f"{host.cpu:.0f} %"
    words = [f"cpu {cpu}, memory {host.memory:.0f} %, disk {host.disk:.0f} %"]
    words += [f"above the limit: {', '.join(host.over)}"] if host.over else []
    words += [f"nothing heard of it since {host.at:%F %T} UTC"] if host.silent else []
    return "; ".join(words)


def _sentences(one: "Component") -> list[str]:
    return [text for text in (one.sentence, one.advice) if text]
