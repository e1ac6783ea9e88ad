"""When the worker starts a run: by what its rule, its pool and the setting say. No server."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.utilities.callables import parameter_schema

from flows.system import disk_usage
from sentinel_core.decide.stagger import offset_seconds
from sentinel_core.prefect_io.due import next_due
from sentinel_core.prefect_io.facts import schedule_facts
from sentinel_core.worker.spread import Plan, plan_of
from sentinel_core.worker.worker import SentinelWorker

SCHEMA = parameter_schema(disk_usage).model_dump_for_openapi()
TEMPLATE = SentinelWorker.get_default_base_job_template()
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTELY = CronSchedule(cron="* * * * *", timezone="UTC")
NAME = "root-disk"  # its share of any window is 0.62
SHARE = offset_seconds(NAME, 1)


def pool(spread: object) -> dict[str, Any]:
    """A work pool's template whose job variable has this default."""
    properties = TEMPLATE["variables"]["properties"]
    properties = {**properties, "spread": {**properties["spread"], "default": spread}}
    return {**TEMPLATE, "variables": {**TEMPLATE["variables"], "properties": properties}}


def rule(
    spread: object = None, *schedules: Any, grace: float | None = None, name: str = NAME
) -> DeploymentResponse:
    policy = {"policy": {"grace_seconds": grace}} if grace is not None else {}
    return DeploymentResponse(
        id=uuid4(),
        name=name,
        flow_id=uuid4(),
        entrypoint="flows/system.py:disk_usage",
        schedules=[
            {"id": uuid4(), "deployment_id": uuid4(), "schedule": one, "active": True}
            for one in schedules or (MINUTELY,)
        ],
        parameters={"check": {"path": "/"}, **policy},
        parameter_openapi_schema=SCHEMA,
        job_variables={} if spread is None else {"spread": spread},
    )


def run(due: datetime = NOON, listed: datetime | None = None, **more: Any) -> FlowRun:
    """A run as Prefect lists it: without its state, but with the name of that."""
    given = {"auto_scheduled": True, "state_type": StateType.SCHEDULED, "state_name": "Scheduled"}
    return FlowRun(
        flow_id=uuid4(),
        name="nimble-crow",
        expected_start_time=due,
        next_scheduled_start_time=listed or due,
        **{**given, **more},
    )


def waits(
    deployment: DeploymentResponse, template: dict[str, Any] = TEMPLATE, setting: float = 5
) -> float:
    """How long after noon a run due at noon starts, as a share of its rule's place: the window."""
    plan = plan_of(run(), deployment, template, setting)
    assert plan is not None
    assert plan.start == plan.planned
    return round((plan.start - NOON).total_seconds() / SHARE, 3)


def test_the_rule_goes_before_its_pool_and_the_pool_before_the_setting() -> None:
    assert waits(rule()) == 5
    assert waits(rule(), pool("interval")) == 48
    assert waits(rule(), pool(20)) == 20
    assert waits(rule("none"), pool("interval")) == 0
    assert waits(rule(0), pool("interval")) == 0
    assert waits(rule(10), pool("interval")) == 10
    assert waits(rule("interval"), pool("none")) == 48
    assert waits(rule(), setting=0) == 0
    own = run(job_variables={"spread": "none"})
    assert plan_of(own, rule("interval"), pool("interval"), 5) == Plan(NOON, NOON)


@pytest.mark.parametrize("wrong", ["weekly", -1, float("nan"), True, [], {}])
def test_what_is_no_spread_says_nothing(wrong: object) -> None:
    assert waits(rule(wrong), pool(10)) == 10
    assert waits(rule(), pool(wrong)) == 5


@pytest.mark.parametrize("template", [{}, {"variables": {}}, {"variables": {"properties": {}}}])
def test_a_pool_that_was_made_before_there_was_a_spread_says_none(template: dict[str, Any]) -> None:
    assert waits(rule(), template) == 5
    assert waits(rule("interval"), template) == 48


def test_only_runs_by_a_schedule_are_spread() -> None:
    by_hand = run(auto_scheduled=False)
    assert plan_of(by_hand, rule("interval"), TEMPLATE, 5) == Plan(NOON, NOON)
    assert plan_of(run(), None, TEMPLATE, 5) == Plan(NOON, NOON)
    nowhere = run().model_copy(
        update={"expected_start_time": None, "next_scheduled_start_time": None}
    )
    assert plan_of(nowhere, rule("interval"), TEMPLATE, 5) is None


def test_the_rules_own_grace_is_kept() -> None:
    hourly = CronSchedule(cron="0 * * * *", timezone="UTC")
    assert waits(rule("interval", hourly, grace=600)) == 510
    assert waits(rule("interval", hourly, grace=60)) == 0


def test_what_is_no_rule_is_spread_as_well() -> None:
    flow = rule("interval").model_copy(update={"parameter_openapi_schema": {}, "parameters": {}})
    assert waits(flow) == 48


def test_a_period_is_as_long_as_prefect_says() -> None:
    """The next due time of any of its schedules counts."""
    daily = CronSchedule(cron="0 12 * * *", timezone="UTC")
    soon = CronSchedule(cron="5 12 * * *", timezone="UTC")
    assert waits(rule("interval", daily)) == 900
    assert waits(rule(3600, daily)) == 3600
    assert waits(rule("interval", daily, soon)) == 240
    inactive = rule("interval", daily, soon)
    inactive.schedules[1].active = False
    assert waits(inactive) == 900
    ten = IntervalSchedule(interval=timedelta(seconds=10), anchor_date=NOON)
    assert waits(rule("interval", ten)) == 8
    often = RRuleSchedule(rrule="DTSTART:20260302T120000\nRRULE:FREQ=MINUTELY;INTERVAL=2")
    assert waits(rule("interval", often)) == 96
    last = RRuleSchedule(rrule="DTSTART:20260302T120000\nRRULE:FREQ=DAILY;UNTIL=20260302T120000")
    assert waits(rule("interval", last)) == 900


def test_a_schedule_that_can_not_be_read_keeps_nothing_waiting() -> None:
    never = CronSchedule.model_construct(cron="0 12 30 2 *", timezone="UTC", day_or=True)
    assert waits(rule("interval", never)) == 0


# -- runs that were put off ----------------------------------------------------------------


def test_a_run_that_was_put_off_is_not_put_off_again() -> None:
    later = NOON + timedelta(seconds=30)
    for name in ("Scheduled", "Late"):
        listed = run(listed=later, state_name=name)
        assert plan_of(listed, rule("interval"), TEMPLATE, 5) == Plan(later, later)


def test_one_that_was_moved_forward_starts_at_once() -> None:
    sooner = NOON - timedelta(seconds=30)
    plan = plan_of(run(listed=sooner), rule("interval"), TEMPLATE, 5)
    assert plan is not None
    assert plan.start == sooner


@pytest.mark.parametrize(("name", "count"), [("AwaitingRetry", 1), ("AwaitingConcurrencySlot", 0)])
def test_one_that_starts_again_or_waits_for_a_slot_is_late_since_its_first_time(
    name: str, count: int
) -> None:
    later = NOON + timedelta(minutes=3)
    listed = run(listed=later, state_name=name, run_count=count)
    plan = plan_of(listed, rule("interval"), TEMPLATE, 5)
    assert plan == Plan(later, NOON + timedelta(seconds=offset_seconds(NAME, 48)))


# -- any schedule --------------------------------------------------------------------------

ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
CRONS = st.builds(
    lambda minute, hour, day, week, zone, either: CronSchedule(
        cron=f"{minute} {hour} {day} * {week}", timezone=zone, day_or=either
    ),
    st.sampled_from(["*", "*/5", "0", "7,8", "0-10"]),
    st.sampled_from(["*", "9", "1,2,3", "*/6"]),
    st.sampled_from(["*", "1", "1,15"]),
    st.sampled_from(["*", "1-5"]),
    ZONES,
    st.booleans(),
)
INTERVALS = st.builds(
    lambda seconds, zone: IntervalSchedule(
        interval=timedelta(seconds=seconds),
        anchor_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(zone)),
        timezone=zone,
    ),
    st.integers(1, 200_000),
    ZONES,
)
SCHEDULES = st.lists(CRONS | INTERVALS, min_size=1, max_size=3)
# Around a change of clocks in each of the zones, and in between.
MOMENTS = st.sampled_from(
    [datetime(2026, *day, tzinfo=UTC) for day in ((3, 7), (3, 28), (4, 4), (6, 1), (10, 24))]
)


@settings(max_examples=30)
@given(SCHEDULES, MOMENTS, st.text(st.characters(codec="utf-8"), max_size=20))
def test_runs_start_in_order_each_before_the_next_is_due_with_time_left(
    schedules: list[Any], since: datetime, name: str
) -> None:
    deployment = rule("interval", *schedules, name=name)
    facts = [schedule_facts(schedule) for schedule in schedules]
    due, starts = next_due(facts, since), []
    for _ in range(6):
        assert due is not None
        plan, following = plan_of(run(due), deployment, TEMPLATE, 5), next_due(facts, due)
        assert plan is not None
        assert following is not None
        left, gap = following - plan.start, following - due
        assert due <= plan.start <= due + timedelta(minutes=15)
        assert left >= 0.2 * gap - timedelta(microseconds=2)
        starts.append(plan.start)
        due = following
    assert starts == sorted(set(starts))
    again = [plan_of(run(since), deployment, TEMPLATE, 5) for _ in range(2)]
    assert again[0] == again[1]
