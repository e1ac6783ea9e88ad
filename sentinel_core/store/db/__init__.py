"""The engine, the tables, the schema and its migrations."""
