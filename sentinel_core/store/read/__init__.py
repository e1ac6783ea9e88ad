"""Queries for people. Writes nothing."""
