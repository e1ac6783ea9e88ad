"""Rules about quotes."""

from sentinel_core import rule_flow
from triggers.market.price_surge import PriceSurge
from triggers.market.volume_spike import VolumeSpike

price_surge = rule_flow(PriceSurge)
volume_spike = rule_flow(VolumeSpike)
