"""Rules about what other programs offer, and about what Sentinel's own runs tell."""

from sentinel_core import rule_flow
from triggers.service.health_check import HealthCheck
from triggers.service.host_limits import HostLimits
from triggers.service.missed_pings import MissedPings
from triggers.service.prefect_deployment import PrefectDeployment
from triggers.service.run_errors import RunErrors

health_check = rule_flow(HealthCheck)
host_limits = rule_flow(HostLimits)
missed_pings = rule_flow(MissedPings)
prefect_deployment = rule_flow(PrefectDeployment)
run_errors = rule_flow(RunErrors)
