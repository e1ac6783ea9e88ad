"""Every error Sentinel raises on purpose. The text says what happened and what to do."""


class SentinelError(Exception):
    """Something Sentinel could not do. The message says what, and the next step."""


class OutputError(SentinelError):
    """A trigger returned something that is not an alert output, so the check counts as failed."""


class HistoryUnavailableError(SentinelError):
    """A trigger asked for its own past and the event store could not be read."""


class StoreUnavailableError(SentinelError):
    """The event store could not be reached."""


class SchemaBehindError(SentinelError):
    """The event store was written by an older Sentinel. Run `sentinel db upgrade`."""


class RuleFileError(SentinelError):
    """The rule file cannot be used as it stands."""


class SetupError(SentinelError):
    """`sentinel up` could not start something."""


class ReconcileError(SentinelError):
    """Something could not be recorded. The rest was; the next reconcile tries again."""
