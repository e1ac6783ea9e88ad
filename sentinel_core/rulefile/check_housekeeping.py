"""The flows that Sentinel itself needs beside the rules, and what goes wrong without them."""

from collections.abc import Collection, Iterator

WITHOUT = {
    "reconcile": "runs whose hook was lost stay unrecorded, and silent rules go unnoticed",
    "deliver": "retries, groups, escalations and storm summaries are not sent",
    "daily-report": "no daily report is made",
    "retention": "nothing old is deleted, so the store grows",
}
"""Each of the flows by name, with what goes wrong without it."""
NEEDED = ("reconcile", "deliver")  # while these run, no alert is lost


def missing_housekeeping(flows: Collection[str]) -> Iterator[str]:
    """A sentence for each needed flow that is not among those of a file's deployments."""
    for flow in NEEDED:
        if flow not in flows:
            yield (
                f"no deployment of the flow {flow}: {WITHOUT[flow]}; add it, unless another file "
                "deploys it (docs/record.md)"
            )
