"""The operations of every engine: host code over Arrow columns, and loops over rows that a launcher runs."""
