"""Rules about files, with a trigger of this project."""

from sentinel_core import rule_flow

from triggers.files.newest_file import NewestFile

newest_file = rule_flow(NewestFile)
