"""Rules about the machine a check runs on."""

from sentinel_core.rule_flow import rule_flow
from triggers.system.disk_usage import DiskUsage

disk_usage = rule_flow(DiskUsage)
