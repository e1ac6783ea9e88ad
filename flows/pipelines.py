"""Rules about runs of your own flows."""

from sentinel_core import rule_flow
from triggers.pipelines.failure_storm import FailureStorm
from triggers.pipelines.flow_run_failures import FlowRunFailures
from triggers.pipelines.flow_sla import FlowSla
from triggers.pipelines.late_runs import LateRuns
from triggers.pipelines.prefect_server_health import PrefectServerHealth
from triggers.pipelines.prefect_sla import PrefectSla
from triggers.pipelines.queue_starvation import QueueStarvation
from triggers.pipelines.slow_flows import SlowFlows
from triggers.pipelines.slow_tasks import SlowTasks
from triggers.pipelines.stuck_runs import StuckRuns
from triggers.pipelines.task_run_failures import TaskRunFailures
from triggers.pipelines.work_pool_health import WorkPoolHealth

failure_storm = rule_flow(FailureStorm)
flow_run_failures = rule_flow(FlowRunFailures)
flow_sla = rule_flow(FlowSla)
late_runs = rule_flow(LateRuns)
prefect_server_health = rule_flow(PrefectServerHealth)
prefect_sla = rule_flow(PrefectSla)
queue_starvation = rule_flow(QueueStarvation)
slow_flows = rule_flow(SlowFlows)
slow_tasks = rule_flow(SlowTasks)
stuck_runs = rule_flow(StuckRuns)
task_run_failures = rule_flow(TaskRunFailures)
work_pool_health = rule_flow(WorkPoolHealth)
