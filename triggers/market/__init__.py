"""Triggers over market data."""
