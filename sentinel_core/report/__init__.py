"""The daily report: query, figures, tables, publication."""
