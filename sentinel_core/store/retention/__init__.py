"""Deletes what has been kept long enough, in short transactions; decides nothing about alerts."""
