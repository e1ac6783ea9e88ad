"""Rules that bring their own query or script."""

from sentinel_core import rule_flow
from triggers.custom.script import Script
from triggers.custom.sql_query import SqlQuery

sql_query = rule_flow(SqlQuery)
script = rule_flow(Script)
