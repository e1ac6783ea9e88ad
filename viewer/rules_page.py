"""The page of rules: read-only, as rules are edited in prefect.yaml and in Prefect.

While rows are selected the table does not change, as on the blotter.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from sentinel_core.base.errors import SentinelError
from sentinel_core.wording.colours import COLOURS
from sentinel_core.wording.text import counted
from sentinel_core.wording.times import stamp
from viewer import (
    access,
    acknowledging,
    data,
    filters,
    operations,
    rows,
    rule_data,
    rule_rows,
    selection,
    silencing,
)
from viewer.bound import (
    ROW_HEIGHT,
    bound,
    choice,
    height,
    not_understood,
    readable,
    search,
    several,
    time_column,
)
from viewer.escape import code, plain
from viewer.roles import Action
from viewer.rule_rows import RuleChoice

REFRESH_SECONDS = 15
_SHOWN, _TURN, _RESULT = "shown rules", "rules turn", "rules result"
_VERBS: dict[operations.Action, tuple[str, str]] = {
    "run": ("Run now", "started"),
    "pause": ("Pause", "paused"),
    "resume": ("Resume", "resumed"),
}


def draw() -> None:
    """Draw the page, which refreshes itself."""
    st.fragment(run_every=REFRESH_SECONDS)(_draw)()


def _draw() -> None:
    with readable("Rules"):
        known = rule_data.known_rules()
        if not known.rules:
            st.info(
                "**No rules yet.** `sentinel rules deploy` deploys those of prefect.yaml.",
                icon=":material/rule:",
            )
            return
        wanted, size = _controls(tuple(sorted({rule["category"] for rule in known.rules})))
        overdue = data.coverage().overdue
        found = rule_rows.chosen(known.rules, known.histories, overdue, known.due, wanted)
        shown = _frozen(found[:size], wanted)
        _bar(shown, len(found), known.count)
        _table(shown, known, overdue)
        _silences([shown[n] for n in _positions(shown)])


def _controls(categories: tuple[str, ...]) -> tuple[RuleChoice, int]:
    offered = {
        "show": rule_rows.CONDITIONS,
        "importance": filters.IMPORTANCES,
        "category": categories,
        "sort": rule_rows.SORTS,
        "size": rule_rows.SIZES,
    }
    not_understood("rules", lambda given: filters.not_among(given, offered, ("q",)))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filters"):
        conditions = st.pills(
            "Show",
            rule_rows.CONDITIONS,
            selection_mode="multi",
            label_visibility="collapsed",
            **bound("show"),
        )
        text = search("Search name, flow, description")
        with st.popover("Filters", icon=":material/filter_list:"):
            importance = several("Importance", filters.IMPORTANCES)
            category = several("Category", categories)
        sort = choice("Sort", rule_rows.SORTS)
        size = choice("Size", rule_rows.SIZES, 1, 80)
    return RuleChoice(text, tuple(conditions or ()), importance, category, sort), int(size)


def _frozen(found: Sequence[Mapping[str, Any]], wanted: RuleChoice) -> Sequence[Mapping[str, Any]]:
    """The rules of the table on the screen while some are selected, else those found."""
    last = st.session_state.get(_SHOWN)
    if last and last[0] == wanted and _positions(last[1]):
        return last[1]  # type: ignore[no-any-return]
    st.session_state[_SHOWN] = (wanted, found)
    return found


def _key(shown: Sequence[Mapping[str, Any]]) -> str:
    turn = st.session_state.get(_TURN, 0)
    ids = ",".join(str(rule["id"]) for rule in shown)
    return f"rules-{hashlib.blake2b(f'{turn}|{ids}'.encode(), digest_size=8).hexdigest()}"


def _positions(shown: Sequence[Mapping[str, Any]]) -> list[int]:
    return selection.selected(_key(shown), len(shown))


def _bar(shown: Sequence[Mapping[str, Any]], found: int, known: int) -> None:
    selected = [shown[n] for n in _positions(shown)]
    with st.container(horizontal=True, vertical_alignment="center", key="bar", gap="small"):
        for action, (label, _) in _VERBS.items() if access.allowed(Action.RULES) else ():
            if st.button(label, key=action, disabled=not selected):
                _ask(action, selected)
        if selected:
            st.markdown(f"**{counted(len(selected), 'rule')} selected**", width="content")
        else:
            part = (
                f"{counted(found, 'rule')} of {known}" if found < known else counted(known, "rule")
            )
            st.markdown(f":gray[{part}, times in {_zone()}]", width="content")
        if result := st.session_state.get(_RESULT):
            st.markdown(f":green-badge[:material/check: {result}]", width="content")


def _zone() -> str:
    return plain(st.context.timezone or "UTC")


def _table(
    shown: Sequence[Mapping[str, Any]], known: rule_data.KnownRules, overdue: Sequence[str]
) -> None:
    if not shown:
        st.info("No rule matches these filters.", icon=":material/search_off:")
        return
    coverage = rule_data.coverage([rule["id"] for rule in shown])
    frame = rule_rows.table(shown, known.histories, coverage, known.due, overdue, data.settings())
    st.dataframe(
        frame,
        key=_key(shown),
        on_select="rerun",
        selection_mode="multi-row",
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=height(len(frame)),
        placeholder="",
        column_config=_columns(shown),
    )


def _columns(shown: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    column = st.column_config
    states = {
        rule["last_prefect_state_name"]: rows.state_colour(
            rule["last_prefect_state_name"], rule["last_prefect_state"]
        )
        for rule in shown
        if rule["last_prefect_state_name"]
    }
    return {
        "Rule": column.TextColumn(width=170),
        "Importance": column.MultiselectColumn(
            options=list(COLOURS), color=list(COLOURS.values()), width=84
        ),
        "Now": column.TextColumn(width=104),
        "Category": column.TextColumn(width=74),
        "Frequency": column.TextColumn(width=170),
        "Last state": column.MultiselectColumn(
            options=list(states), color=list(states.values()), width=92
        ),
        "Last evaluation": time_column(),
        "Next due": time_column(),
        "Coverage": column.NumberColumn(
            format="percent", width=72, help="due times of the last 24 hours that were checked"
        ),
        "Noise": column.NumberColumn(
            "Events, 7 d", format="%d", width=82, help="events opened in the last 7 days"
        ),
        "Series": column.LineChartColumn(
            "Latest values", width=130, help="values of one series, also while nothing fires"
        ),
        "Ticker": column.TextColumn(width=80, help="the series whose values are shown"),
        "Last sync": time_column(help="when Prefect's deployment was last read"),
        "Deployment": column.LinkColumn(
            width=86, display_text="Prefect", help="edit, run with parameters, see its runs"
        ),
    }


def _ask(action: operations.Action, selected: Sequence[Mapping[str, Any]]) -> None:
    st.dialog(_VERBS[action][0])(_confirm)(action, selected)


def _confirm(action: operations.Action, selected: Sequence[Mapping[str, Any]]) -> None:
    """Confirm an action on exactly these rules, and ask who does it."""
    label, did = _VERBS[action]
    st.markdown("  \n".join(code(rule["name"], 100) for rule in selected[:20]))
    if len(selected) > 20:  # noqa: PLR2004 (as many as fit)
        st.caption(f"and {len(selected) - 20} more")
    by = acknowledging.signed_in()
    if not by:
        default = st.session_state.get("who", data.settings().user)
        by = st.text_input("Your name", default, max_chars=100, key="rules-by")
    if not st.button(f"{label}: {counted(len(selected), 'rule')}", type="primary", key="confirm"):
        return
    try:
        changed = rule_data.act(action, selected, by)
    except (SentinelError, ValueError) as error:
        st.error(f"Not done: {plain(error)}.")
        return
    st.session_state["who"] = by
    st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1
    st.session_state[_RESULT] = f"{counted(changed, 'rule')} {did}"
    st.rerun()


def _silences(selected: Sequence[Mapping[str, Any]]) -> None:
    """Draw the silences and what they mute, and the button that makes one."""
    mutes = rule_data.mutes()
    with st.container(horizontal=True, vertical_alignment="center", key="silences", gap="small"):
        st.markdown("##### Silences", width="content")
        if access.allowed(Action.SILENCES) and st.button("New silence", key="silence"):
            acknowledging.forget_result()
            silencing.ask({"rule": selected[0]["name"]} if len(selected) == 1 else {})
        acknowledging.show_result()
    if not mutes:
        st.caption("No silence is active or planned.")
        return
    where = data.local_zone()
    names = ("Mutes", "State", "From", "Until", "By", "Why", "Matches now")
    lines = [f"| {' | '.join(names)} |", "|" + ":--|" * len(names)]
    for mute in mutes:
        one = mute.silence
        cells = (
            plain(one.matchers.words(), 120)
            + (f", {plain(one.recurrence.words(), 120)}" if one.recurrence else ""),
            f":{'blue' if mute.state == 'active' else 'gray'}-badge[{mute.state}]",
            stamp(one.starts_at, where, seconds=False),
            stamp(one.ends_at, where, seconds=False),
            plain(one.author, 60),
            plain(one.comment, 200),
            f"{counted(len(mute.rules), 'rule')}, {mute.series} series, "
            f"{counted(mute.open_events, 'open event')}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    with st.container(key="mutes"):
        st.markdown("\n".join(lines))
    st.caption("To end one: `sentinel silences list`, then `sentinel silences expire ID`.")
