"""Readers shared by several triggers. Each returns what was asked for, or raises."""
