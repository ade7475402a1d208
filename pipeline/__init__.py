"""Curate raw domain data and fine-tune a language model on it, again and again.

The library knows nothing of Prefect; `flows` wraps it. `docs/architecture.md` draws the whole.
"""

__version__ = "0.1.0"
