"""The rules' flows: one line for each trigger that prefect.yaml uses."""

from sentinel_core import rule_flow
from triggers.data.data_quality import DataQuality
from triggers.data.data_volume import DataVolume
from triggers.model.batch_performance import BatchPerformance
from triggers.model.match_quality import MatchQuality
from triggers.model.model_drift import ModelDrift
from triggers.model.model_performance import ModelPerformance
from triggers.model.prediction_distribution import PredictionDistribution
from triggers.pipelines.flow_sla import FlowSla
from triggers.pipelines.task_run_failures import TaskRunFailures

batch_performance = rule_flow(BatchPerformance)
data_quality = rule_flow(DataQuality)
data_volume = rule_flow(DataVolume)
flow_sla = rule_flow(FlowSla)
match_quality = rule_flow(MatchQuality)
model_drift = rule_flow(ModelDrift)
model_performance = rule_flow(ModelPerformance)
prediction_distribution = rule_flow(PredictionDistribution)
task_run_failures = rule_flow(TaskRunFailures)
