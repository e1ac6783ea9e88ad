"""The whole circle: a rule fires, a person approves, a deployment runs, the event resolves."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, ViewportSize, expect
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from sqlalchemy import Engine

from sentinel_core.flow.reacting import keep_up_reactions
from tests.support.blotter import chromium, settled, viewer
from tests.support.channels import talking_to
from tests.support.deployed import Deployed, deploy, rule_yaml
from tests.support.patience import patient
from tests.support.prefect import PrefectServer, client_of, prefect_worker
from tests.support.processes import wait_for
from tests.support.runs import rows

FLOWS = "tests/support/rules/retraining.py"
RETRAIN: dict[str, Any] = {
    "run": "retrain/churn",
    "parameters": {
        "model": "{{ (event.ticker) }}",
        "drift": "{{ (event.metrics.drift) }}",
    },
    "approval": True,
}
Theme = Literal["light", "dark"]
NUMBERS = {"accuracy": 0.85, "recall": 0.8, "mean_score": 0.5}
DRIFTED = {"accuracy": 0.68, "recall": 0.6, "mean_score": 0.61}


@contextmanager
def event_page(url: str, event_id: int, theme: Theme) -> Iterator[Page]:
    """The event's page in a browser that is gone after: nothing async can run beside it."""
    size = ViewportSize(width=1400, height=900)
    with chromium() as browser:
        context = browser.new_context(viewport=size, color_scheme=theme, timezone_id="UTC")
        page = context.new_page()
        page.set_default_timeout(patient(60_000))
        page.goto(f"{url}/?event={event_id}")
        settled(page)
        yield page
        context.close()


def ended_run(rule: Deployed) -> None:
    assert rule.wait(rule.start_as_is(), seconds=240).state_type == "COMPLETED"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_drift_is_approved_retrained_and_resolved_and_the_event_tells_the_story(
    server: PrefectServer, store: Engine, tmp_path: Path
) -> None:
    file = tmp_path / "churn.json"
    file.write_text(json.dumps({"model": "churn", "baseline": NUMBERS, "current": DRIFTED}))
    url = store.url.render_as_string()
    env = {**server.env, "SENTINEL_DATABASE_URL": url, "SENTINEL_USER": "ana"}
    with (
        client_of(server) as client,
        talking_to(server.api_url),
        prefect_worker(server, "retraining", kind="sentinel", SENTINEL_DATABASE_URL=url),
        viewer({**env, "SENTINEL_PREFECT_UI_URL": server.ui_url}, tmp_path / "viewer.log") as site,
    ):
        check = {"file": str(file)}
        rule = rule_yaml(
            "churn-drift", f"{FLOWS}:drift", check, pool="retraining", on_open=[RETRAIN]
        )
        pool = {"name": "retraining"}
        flow = {"name": "churn", "entrypoint": f"{FLOWS}:retrain", "work_pool": pool}
        deploy(client, rule, {**flow, "parameters": check})
        drift = Deployed.find(client, "drift/churn-drift")

        ended_run(drift)
        [event] = wait_for(lambda: events(store), what="the event")  # its hook comes after the end
        assert keep_up_reactions(store).started == 0  # it waits
        themes: tuple[Theme, ...] = ("dark", "light")
        for theme in themes:
            with event_page(site, event["id"], theme) as page:
                expect(page.get_by_text("waits for approval")).to_be_visible()
                page.get_by_role("button", name="Approve", exact=True).click()
                dialog = page.get_by_role("dialog")
                expect(dialog).to_contain_text("run retrain/churn")
                expect(dialog).to_contain_text("model=churn")
                expect(dialog.get_by_role("button", name="Approve 1 reaction")).to_be_visible()
                picture(page, tmp_path, f"reaction-approval-{theme}")
                if theme == "light":
                    dialog.get_by_label("Comment (optional)").fill("the new data is fine")
                    dialog.get_by_label("Your name").fill("ana")
                    dialog.get_by_role("button", name="Approve 1 reaction").click()
                    expect(page.get_by_text("1 reaction approved")).to_be_visible()
                    expect(page.get_by_role("button", name="Approve", exact=True)).to_have_count(0)
        [reaction] = rows(store, "reaction")
        assert (reaction["status"], reaction["approved_by"]) == ("pending", "ana")

        assert keep_up_reactions(store).started == 1
        wait_for(lambda: keep_up_reactions(store).ended, seconds=240, what="the retraining to end")
        mine = FlowRunFilter(tags=FlowRunFilterTags(all_=[f"sentinel-event-{event['id']}"]))
        [run] = client.read_flow_runs(flow_run_filter=mine)
        assert run.parameters["drift"] == pytest.approx(event["metrics"]["drift"])
        ended_run(drift)
        wait_for(lambda: events(store)[0]["resolved_at"], what="the end of the event")
        [event] = events(store)
        assert (event["resolution"], event["acknowledged_by"]) == ("recovered", "ana")
        assert audit_of(store, event["id"]) == [
            ("ana", "approved"),
            ("ana", "acknowledged"),
            ("sentinel", "reaction-started"),
            ("sentinel", "reaction-ended"),
        ]
        with event_page(site, event["id"], "light") as page:
            expect(page.get_by_text(f"{run.name} ended as Completed")).to_be_visible()
            expect(page.get_by_text("approved by ana")).to_be_visible()
            expect(page.get_by_text("recovered").first).to_be_visible()
            picture(page, tmp_path, "reaction-circle")


def events(engine: Engine) -> list[dict[str, Any]]:
    return rows(engine, "alert_event", rule_name="churn-drift")


def audit_of(store: Engine, event_id: int) -> list[tuple[str, str]]:
    return [(r["actor"], r["action"]) for r in rows(store, "audit_entry", event_id=event_id)]


def picture(page: Page, folder: Path, name: str) -> None:
    """A picture of the page, beside the test's other files."""
    settled(page)
    page.screenshot(path=folder / f"{name}.png")
