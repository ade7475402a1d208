"""What the training was good for: loss before and after on rows that were not trained on, and generated answers."""

from pipeline.evaluate.stage import evaluate, plan

__all__ = ["evaluate", "plan"]
