"""Decides the recorded past again with other settings and compares. Writes nothing."""
