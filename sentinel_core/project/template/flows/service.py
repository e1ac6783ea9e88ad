"""Rules about what other programs offer."""

from sentinel_core import rule_flow
from triggers.service.health_check import HealthCheck

health_check = rule_flow(HealthCheck)
