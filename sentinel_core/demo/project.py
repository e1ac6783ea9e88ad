"""The project of the demo: a rule file as a team would write it, and the flow that it names."""

from pathlib import Path

from sentinel_core.demo.recording import CATEGORY, LABEL

WARNINGS, CRITICAL = "alerts-warnings", "alerts-critical"
"""The two channels: a block in Prefect each, which posts to the demo's page."""

ESCALATES_AFTER = 15  # seconds

_FLOWS = """\
from sentinel_core import rule_flow
from triggers.market.price_surge import PriceSurge
from triggers.market.volume_spike import VolumeSpike

price_surge = rule_flow(PriceSurge)
volume_spike = rule_flow(VolumeSpike)
"""

_RULES = """\
# The rules of the demo. Their quotes are {label}. The feed starts a run of each rule after each
# day of quotes, as `sentinel rules run` would; by its schedule none is due while the demo runs.

definitions:
  rule: &rule
    work_pool: {{name: demo}}
    tags: [demo]
    schedules: [{{cron: "0 0 1 1 *", timezone: UTC}}]

deployments:
  - name: deliver
    work_pool: {{name: demo}}
    entrypoint: sentinel_core.flow.scheduled.deliver
    pull: []
    schedules: [{{interval: 10, timezone: UTC}}]

  - name: reconcile
    work_pool: {{name: demo}}
    entrypoint: sentinel_core.flow.scheduled.reconcile
    pull: []
    schedules: [{{interval: 30, timezone: UTC}}]

  - <<: *rule
    name: demo-price-low
    entrypoint: flows/market.py:price_surge
    description: AAPL closes below 550 ({label}).
    parameters:
      check: {{ticker: AAPL, threshold: 550, direction: below, source: "{feed}", unit: USD}}
      importance: high
      category: &category {category}
      policy: {{notify_resolved: true}}
      notify: &routes
        high: [slack-incoming-webhook/{warnings}]
        medium: [slack-incoming-webhook/{warnings}]
      escalation:
        high: [{{after_seconds: {after}, channels: [slack-incoming-webhook/{critical}]}}]

  - <<: *rule
    name: demo-price-move
    entrypoint: flows/market.py:price_surge
    description: A stock moves by more than 2.5 % from one close to the next ({label}).
    parameters:
      check: {{ticker: "*", move_percent: 2.5, look_back: 1, source: "{feed}", unit: USD}}
      importance: medium
      category: *category
      notify: *routes

  - <<: *rule
    name: demo-volume-spike
    entrypoint: flows/market.py:volume_spike
    description: A volume is at least twice the mean of the 10 days before ({label}).
    parameters:
      check: {{ticker: "*", factor: 2, window: 10, source: "{feed}", unit: shares}}
      importance: medium
      category: *category
      notify: *routes
"""

RULES = ("demo-price-low", "demo-price-move", "demo-volume-spike")


def write_project(folder: Path, feed: str) -> Path:
    """Write the project into a folder; returns its rule file."""
    file = folder / "prefect.yaml"
    text = _RULES.format(
        label=LABEL,
        category=CATEGORY,
        feed=feed,
        warnings=WARNINGS,
        critical=CRITICAL,
        after=ESCALATES_AFTER,
    )
    file.write_text(text, "utf-8")
    flows = folder / "flows"
    flows.mkdir(exist_ok=True)
    (flows / "market.py").write_text(_FLOWS, "utf-8")
    return file
