"""Rules about what other programs offer."""

from sentinel_core import rule_flow
from triggers.service.health_check import HealthCheck
from triggers.service.missed_pings import MissedPings
from triggers.service.prefect_deployment import PrefectDeployment

health_check = rule_flow(HealthCheck)
missed_pings = rule_flow(MissedPings)
prefect_deployment = rule_flow(PrefectDeployment)
