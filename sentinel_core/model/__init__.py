"""The nouns people write or read, as validated pydantic models and plain dataclasses."""
