"""The rules' flows: one line for each trigger that prefect.yaml uses."""

from sentinel_core import rule_flow
from triggers.pipelines.flow_sla import FlowSla
from triggers.service.health_check import HealthCheck

flow_sla = rule_flow(FlowSla)
health_check = rule_flow(HealthCheck)
