"""The page Rules: what it says of each rule, without Prefect."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from sentinel_core.model.silence import Matchers, Silence
from sentinel_core.store.record.silences import create
from tests.support.app_pages import RunPage, words
from tests.support.recorded import a_rule, calm, fire

NOW = datetime.now(UTC).replace(microsecond=0)


def test_an_empty_store_says_how_rules_come_into_it(page: RunPage) -> None:
    assert "No rules yet" in words(page("rules"))


def test_a_rule_is_one_row_with_its_schedule_in_words_and_its_values(
    page: RunPage, store: Engine
) -> None:
    rule = a_rule("disk", "critical")
    now = datetime.now(UTC)  # long after NOW in a long run, and the rule would be overdue
    for minutes in (15, 10, 5):
        calm(store, rule, now - timedelta(minutes=minutes), metrics={"value": 60.0 - minutes})
    [row] = page("rules").dataframe[0].value.to_dict("records")
    assert (row["Rule"], row["Now"], row["Frequency"]) == ("disk", "active", "every 5 minutes")
    assert list(row["Series"]) == [45.0, 50.0, 55.0]
    assert row["Noise"] == 0
    assert row["Next due"] > NOW
    assert list(row["Last state"]) == ["Completed"]


def test_search_and_filters_narrow_the_list_and_say_of_how_many(
    page: RunPage, store: Engine
) -> None:
    calm(store, a_rule("disk", "critical"), NOW)
    fire(store, a_rule("price", "low", "Market"), NOW)
    assert [*page("rules", q="pri").dataframe[0].value["Rule"]] == ["price"]
    assert [*page("rules", show="firing").dataframe[0].value["Rule"]] == ["price"]
    assert [*page("rules", importance="critical").dataframe[0].value["Rule"]] == ["disk"]
    assert "1 rule of 2" in words(page("rules", category="Market"))
    assert [*page("rules", sort="by importance").dataframe[0].value["Rule"]] == ["disk", "price"]
    assert [*page("rules", sort="by events").dataframe[0].value["Rule"]] == ["price", "disk"]
    assert "No rule matches" in words(page("rules", q="nowhere"))


def test_a_silence_says_what_it_mutes_now(page: RunPage, store: Engine) -> None:
    fire(store, a_rule("disk-a"), NOW)
    fire(store, a_rule("price"), NOW)
    silence = Silence(
        matchers=Matchers(rule="disk-*"),
        starts_at=NOW,
        ends_at=NOW + timedelta(hours=1),
        author="ana",
        comment="moving disks",
    )
    create(store, silence, now=NOW)
    text = words(page("rules"))
    assert "rule disk-*" in text
    assert "1 rule, 1 series, 1 open event" in text
    assert "moving disks" in text


def test_actions_wait_for_a_selection(page: RunPage, store: Engine) -> None:
    calm(store, a_rule("disk"), NOW)
    app = page("rules")
    assert all(app.button(key=key).disabled for key in ("run", "pause", "resume"))
