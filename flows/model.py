"""Rules about models, and about the batches that feed them."""

from sentinel_core import rule_flow
from triggers.model.batch_performance import BatchPerformance
from triggers.model.match_quality import MatchQuality
from triggers.model.model_drift import ModelDrift
from triggers.model.model_performance import ModelPerformance
from triggers.model.prediction_distribution import PredictionDistribution

batch_performance = rule_flow(BatchPerformance)
match_quality = rule_flow(MatchQuality)
model_drift = rule_flow(ModelDrift)
model_performance = rule_flow(ModelPerformance)
prediction_distribution = rule_flow(PredictionDistribution)
