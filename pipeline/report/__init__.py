"""What a run did: one self-contained HTML page, and the lines that the command prints at its end."""

from pipeline.report.page import report

__all__ = ["report"]
