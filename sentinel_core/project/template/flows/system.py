"""Rules about the machine that a check runs on. Every trigger used here is one line."""

from sentinel_core import rule_flow
from triggers.system.disk_usage import DiskUsage

disk_usage = rule_flow(DiskUsage)
