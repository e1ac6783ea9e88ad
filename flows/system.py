"""Rules about the machine a check runs on."""

from sentinel_core import rule_flow
from triggers.system.cpu_usage import CpuUsage
from triggers.system.disk_usage import DiskUsage
from triggers.system.memory_leak import MemoryLeak
from triggers.system.memory_usage import MemoryUsage

cpu_usage = rule_flow(CpuUsage)
disk_usage = rule_flow(DiskUsage)
memory_leak = rule_flow(MemoryLeak)
memory_usage = rule_flow(MemoryUsage)
