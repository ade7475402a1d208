"""The gate: a candidate becomes the champion only if it is better on the same test rows."""

from pipeline.promote.stage import plan, promote

__all__ = ["plan", "promote"]
