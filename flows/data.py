"""Rules about data."""

from sentinel_core import rule_flow
from triggers.data.data_freshness import DataFreshness
from triggers.data.data_quality import DataQuality
from triggers.data.data_volume import DataVolume
from triggers.data.schema_change import SchemaChange
from triggers.data.sql_assert import SqlAssert

data_freshness = rule_flow(DataFreshness)
data_quality = rule_flow(DataQuality)
data_volume = rule_flow(DataVolume)
schema_change = rule_flow(SchemaChange)
sql_assert = rule_flow(SqlAssert)
