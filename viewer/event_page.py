"""The page of one event: measurements, decisions, notifications, audit."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st
from pydantic import TypeAdapter, ValidationError

from sentinel_core.base.errors import SentinelError
from sentinel_core.model.condition import Conditions, each
from sentinel_core.store.read.event_detail import EventDetail
from sentinel_core.store.state import system_rule
from sentinel_core.wording.colours import COLOUR_NAMES
from sentinel_core.wording.labels import (
    KINDS,
    RESOLUTIONS,
    audit_words,
    held_until,
    leading_up,
    lost,
    status_of,
)
from sentinel_core.wording.text import value_against_threshold
from sentinel_core.wording.times import stamp
from viewer import acknowledging, approving, changing, data, delivery_timeline, figures, rows
from viewer.bound import is_dark
from viewer.escape import code, plain, sentence

_LONG = 1_500  # characters of a message above which it scrolls in a box of its own
_STATUS = {"open": "yellow", "acknowledged": "blue", "resolved": "green"}

_CONDITIONS: TypeAdapter[Conditions] = TypeAdapter(Conditions)


def draw(asked: str | None) -> None:
    """The page of the event whose id the address bar asks for; a field for one without any."""
    st.markdown("[← Blotter](./)")
    if asked is None:
        _ask_for_one()
        return
    if not (asked.isascii() and asked.isdigit()) or len(asked) > len(str(2**63)):
        st.warning(f"“{plain(asked, 60)}” is not an event id: ids are numbers, as in ?event=12.")
        return
    try:
        detail = data.event(int(asked))
    except SentinelError as error:
        st.error(f"The event can't be shown: {sentence(error)}.", icon=":material/database_off:")
        return
    if detail is None:
        st.warning(f"There is no event {int(asked)} in this store. It may have been removed.")
        return
    _draw(detail)


def _ask_for_one() -> None:
    """A field for an event's number, which goes to the address bar."""
    st.markdown("An event opens from the blotter, from History, from a message, or by its number.")
    number = st.text_input("Event number", max_chars=20, width=160, key="number")
    if number.strip():
        st.query_params["event"] = number.strip()
        st.rerun()


def _draw(detail: EventDetail) -> None:
    event = detail.event
    _title(detail)
    _actions(detail)
    _message(event)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _chart(detail)
        _lifecycle(detail)
        approving.draw(detail)
        delivery_timeline.draw(detail)
        _audit(detail)
    with right:
        _facts(detail)
        if event["metrics"]:
            st.markdown("##### Metrics")
            _list(pd.DataFrame(sorted(event["metrics"].items()), columns=["Metric", "Value"]))
        if event["metadata"]:
            st.markdown("##### Evidence")
            st.json(event["metadata"], expanded=2)


def _title(detail: EventDetail) -> None:
    event = detail.event
    importance = event["importance"]
    badges = [f":{COLOUR_NAMES.get(importance, 'gray')}-badge[{plain(importance)}]"]
    badges += [f":{_STATUS[name]}-badge[{name}]" for name in status_of(event)]
    if event["kind"] in KINDS:
        badges.append(f":gray-badge[{KINDS[event['kind']]}]")
    if event["suppressed"]:
        badges.append(":gray-badge[muted]")
    if lost(event):
        badges.append(":red-badge[not delivered]")
    if event["disposition"]:
        badges.append(f":gray-badge[{plain(event['disposition'])}]")
    subject = " · ".join(plain(part) for part in (event["rule_name"], event["ticker"]) if part)
    st.markdown(f"#### {subject} {' '.join(badges)}", anchors=False)
    acknowledging.show_result()


def _actions(detail: EventDetail) -> None:
    event, settings = detail.event, data.settings()
    with st.container(horizontal=True, key="actions", gap="small"):
        changing.buttons([event], acknowledge=not event["is_acknowledged"])
        approving.button(detail)
        if url := rows.run_url(event, settings):
            st.link_button("Flow run in Prefect", url, icon=":material/open_in_new:")
        if url := rows.rule_url(detail.rule, settings):
            st.link_button("Rule in Prefect", url, icon=":material/open_in_new:")
        runbook = event["runbook"] or ""
        if runbook.startswith(("https://", "http://")):
            st.link_button("Runbook", runbook, icon=":material/menu_book:")


def _message(event: Mapping[str, Any]) -> None:
    long = len(event["message"]) > _LONG
    with st.container(height=260 if long else "content", border=False):
        st.code(event["message"] or "(no message)", language=None, wrap_lines=True)
    if against := value_against_threshold(event["metrics"], event["metadata"]):
        st.markdown(plain(against))
    if event["suggested_action"]:
        st.info(f"**Next step:** {plain(event['suggested_action'], 500)}", icon=":material/build:")


def _facts(detail: EventDetail) -> None:
    event, where = detail.event, data.local_zone()
    state = event["prefect_state_name"]
    facts = {
        "Opened": stamp(event["timestamp"], where),
        "Last seen": stamp(event["last_seen"], where),
        "Occurrences": event["occurrences"],
        "Resolved": _resolved(event),
        "Muted": plain(event["suppressed"] or "", 2_000),
        "Acknowledged": _acknowledged(event),
        "Escalates": delivery_timeline.next_step_words(detail),
        "Assigned to": plain(event["assigned_to"] or ""),
        "Disposition": plain(event["disposition"] or ""),
        "Comment": plain(event["comment"] or "", 2_000),
        "Category": plain(event["category"]),
        "Environment": plain(event["environment"] or ""),
        "Rule": plain((detail.rule or {}).get("description") or "", 2_000),
        "Runbook": plain(event["runbook"] or ""),
        "Prefect state": plain(f"{state} ({event['prefect_state']})") if state else "no run",
        "Run started": stamp(event["started_at"], where),
        "Run ended": stamp(event["completed_at"], where),
        "Retries": event["retry_count"],
    }
    body = "\n".join(f"| {name} | {value} |" for name, value in facts.items() if value != "")
    zone = plain(st.context.timezone or "UTC")
    st.markdown(f"| Event {event['id']} | times in {zone} |\n|:--|:--|\n{body}")


def _resolved(event: Mapping[str, Any]) -> str:
    if event["resolved_at"] is None:
        return "not yet"
    at, how = stamp(event["resolved_at"], data.local_zone()), event["resolution"]
    return f"{at}, {RESOLUTIONS.get(how, plain(how))}" if how else at


def _acknowledged(event: Mapping[str, Any]) -> str:
    if not event["is_acknowledged"]:
        return "not yet"
    where = data.local_zone()
    words = f"{plain(event['acknowledged_by'])}, {stamp(event['acknowledged_at'], where)}"
    return words + held_until(event, stamp(event["acknowledged_until"], where))


def _chart(detail: EventDetail) -> None:
    dark = is_dark()
    spec = figures.readings(
        detail.evaluations, detail.earlier, detail.event["first_seen"], dark=dark
    )
    if spec is None:
        return
    judged = judged_by(detail.rule)
    st.markdown("##### Values" if judged else "##### Value against threshold")
    st.vega_lite_chart(spec, key="readings")
    if judged:
        st.caption(f"A point is the value of one run. What is judged: {judged}.")


def judged_by(rule: Mapping[str, Any] | None) -> str:
    """What the rule's conditions compare, as markdown; empty without conditions."""
    given = ((rule or {}).get("parameters") or {}).get("conditions")
    try:
        conditions = _CONDITIONS.validate_python(given or [])
    except ValidationError:  # of a rule that another release deployed
        return "its conditions"
    return ", ".join(
        code(f"{one.subject} {one.op.sign} {one.value:g}", 200) for one in each(conditions)
    )


def _lifecycle(detail: EventDetail) -> None:
    st.markdown("##### What was decided, and why")
    if not detail.evaluations and detail.rule and detail.rule["deployment_id"] in system_rule.OWN:
        st.caption("Sentinel says this itself: no run of a check stands behind it.")
        return
    _list(
        pd.DataFrame(
            [
                (
                    row["at"],
                    row["decision"],
                    rows.one_line(row["decision_reason"]),
                    rows.one_line(row["message"]),
                    row["prefect_state_name"],
                    rows.run_url(row, data.settings()),
                )
                for row in [*detail.evaluations, *leading_up(detail.earlier)]
            ],
            columns=["Time", "Decision", "Reason", "Message", "State", "Run"],
        )
    )


def _audit(detail: EventDetail) -> None:
    if not detail.audit:
        return
    st.markdown("##### Who did what")
    _list(
        pd.DataFrame(
            [
                (
                    row["at"],
                    row["actor"],
                    row["action"],
                    rows.one_line(audit_words(row["detail"])),
                )
                for row in detail.audit
            ],
            columns=["Time", "Who", "What", "Comment"],
        )
    )


def _list(frame: pd.DataFrame) -> None:
    st.dataframe(
        frame,
        hide_index=True,
        row_height=28,
        height=min(28 * len(frame) + 40, 320),
        column_config={
            "Time": st.column_config.DatetimeColumn(
                format="MM-DD HH:mm:ss", timezone=st.context.timezone or "UTC", width=112
            ),
            "Run": st.column_config.LinkColumn(display_text="Prefect", width=64),
        },
    )
