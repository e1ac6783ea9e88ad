"""What people do with rules in Prefect, as entries of the audit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import Engine

from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.failure import answering
from sentinel_core.store.record.change import comment_of, require_name
from sentinel_core.store.state.audit import add_audit


def audit_rules(
    engine: Engine,
    rules: Sequence[str],
    action: Literal["rule-paused", "rule-resumed", "rule-run", "rule-cancelled"],
    *,
    by: str,
    comment: str = "",
    now: datetime,
) -> None:
    """Add an audit entry for each rule. Raises ValueError for an empty name.

    Raises StoreUnavailableError if nothing was written.
    """
    who, text = require_name(by, "changes rules"), comment_of(comment)
    with answering(engine), writing(engine) as connection:
        for rule in rules:
            detail = {"rule": rule, **({"comment": text} if text else {})}
            add_audit(connection, who, action, now, detail)
