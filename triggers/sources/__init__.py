"""Readers that several triggers share. Each either returns what it was asked for or raises."""
