"""Errors and settings: what every other package may use. Imports nothing of Sentinel."""
