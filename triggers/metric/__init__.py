"""Any number, from any source, against a threshold."""
