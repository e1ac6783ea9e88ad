"""The patches of a warm process, which serves runs one after the other."""

from sentinel_core.patches import (
    known_deployment,
    known_run,
    lease_renewal,
    no_retries,
    result_storage,
    suspension,
    timezones,
)

PATCHES = (
    suspension.PATCH,
    result_storage.PATCH,
    no_retries.PATCH,
    lease_renewal.PATCH,
    known_run.PATCH,
    known_deployment.PATCH,
    timezones.PATCH,
)
