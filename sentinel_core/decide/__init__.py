"""Observations and a series' state in, decisions and their effects out. Pure: no clock, no I/O."""
