"""Options and arguments that several commands take, with their help."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators

RULE_FILE = Path("prefect.yaml")

Flag = Parameter(negative="")
Several = Parameter(negative="", show_default=False)  # of an option that may be repeated
Json = Annotated[bool, Parameter("--json", negative="", help="Print JSON instead of text.")]
RuleName = Annotated[str, Parameter(help="The rule's name.")]
RuleFilePath = Annotated[Path, Parameter(help="The rule file.")]
LookBack = Annotated[
    str, Parameter(help="How far back: 24h, 7d, or a time like 2026-11-20T18:00 (UTC).")
]
By = Annotated[str | None, Parameter(help="Your name; SENTINEL_USER or the login name by default.")]
Why = Annotated[str, Parameter(help="Why.")]
EventIds = Annotated[str, Parameter(help="Ids of events, as `sentinel events list` shows them.")]
Channel = Annotated[
    str, Parameter(help="The block, as `sentinel channels list` shows it: type/name.")
]
CheckSeconds = Annotated[
    float,
    Parameter(
        validator=validators.Number(gt=0, lte=600), help="How long each check is waited for."
    ),
]
Level = Literal["critical", "high", "medium", "low"]
