"""Every error Sentinel raises on purpose. The text says what happened and what to do."""


class SentinelError(Exception):
    """Something failed. The message says what, and what to do next."""


class OutputError(SentinelError):
    """A trigger returned something other than alert outputs. Return AlertOutput or a list of them.

    The check counts as failed.
    """


class CheckFailedError(SentinelError):
    """A rule's check raised an error, so nothing was measured. Fix what its message names."""


class HistoryUnavailableError(SentinelError):
    """The event store could not be read for a trigger's history. Check SENTINEL_DATABASE_URL."""


class StoreUnavailableError(SentinelError):
    """The event store did not answer. Start it, or correct SENTINEL_DATABASE_URL."""


class StoreRefusedError(SentinelError):
    """This process may not use the event store as it is. Do what the message says."""


class StoreIdentityError(StoreRefusedError):
    """The event store is gone, or it is not the one that is registered in Prefect.

    Restore it, correct SENTINEL_DATABASE_URL, or run `sentinel db adopt`.
    """


class SchemaBehindError(StoreRefusedError):
    """The event store was written by an older Sentinel. Run `sentinel db upgrade`."""


class SchemaAheadError(StoreRefusedError):
    """The event store was written by a newer Sentinel. Upgrade Sentinel on this machine."""


class PrefectUnreachableError(SentinelError):
    """Prefect's API did not answer. Start it with `sentinel up`, or correct PREFECT_API_URL."""


class ScheduleError(SentinelError):
    """A schedule's due times can't be worked out. Correct the schedule and deploy it again."""


class RuleFileError(SentinelError):
    """The rule file can't be used. Fix the line that the message names."""


class ProjectError(SentinelError):
    """`sentinel init` can't add to a folder; nothing was written. Do what the message says."""


class RuleTestError(SentinelError):
    """Rule tests could not be found or read. Correct the file, or the path it was given by."""


class DeployError(SentinelError):
    """Deploying failed. The message lists what was changed; fix the cause and deploy again."""


class DeployTakenError(DeployError):
    """Another deploy is under way. Wait for it, or look at the process that the message names."""


class NotRestoredError(DeployError):
    """Deploying failed, and not everything could be restored. Deploy again, or repair it."""


class GateError(SentinelError):
    """The gate of `sentinel rules deploy` refused; nothing was deployed. Fix the named rules."""


class SetupError(SentinelError):
    """`sentinel up` or `viewer` could not start something. Fix what it names and start it again."""


class ReconcileError(SentinelError):
    """Some runs could not be recorded. The others were; the next reconcile tries again."""


class ReportError(SentinelError):
    """Too much to report about at once. Look at less time, or at fewer rules."""


class ReplayError(SentinelError):
    """No evaluations to replay. Choose another rule or a longer time."""


class VerdictError(SentinelError):
    """Data that a flow has checked is not as it should be, or could not be checked."""


class UsageError(SentinelError):
    """A value on the command line is invalid. Correct the option that the message names."""


class NotAllowedError(SentinelError):
    """Somebody asked for what their role does not allow. Ask whoever gives the roles."""


class ChannelError(SentinelError):
    """A channel can't be used, or refused a message. Correct its block or the address."""
