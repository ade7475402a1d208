"""The gate: the trained model takes the champion's place where it is surely better; the registry; and the way back."""

from pipeline.promote.rollback import history, rollback
from pipeline.promote.stage import plan, promote

__all__ = ["history", "plan", "promote", "rollback"]
