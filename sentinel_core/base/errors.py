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


class ReplayError(SentinelError):
    """There is nothing to replay, or not over that time."""


class GateError(SentinelError):
    """The gate of `sentinel rules deploy` is shut: nothing was deployed."""


class UsageError(SentinelError):
    """A value on the command line is invalid."""


class ChannelError(SentinelError):
    """A channel can't be used, or did not accept a message."""


class CheckFailedError(SentinelError):
    """A rule's check raised an error, so nothing was measured."""
