"""`python -m pipeline.evaluate RUN_DIR FINGERPRINT`: the measuring process that the stage starts."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.train.lifetime import run_rank


def main(arguments: Sequence[str]) -> None:
    """Measure; torch is imported here, once the process is tied to its parent."""
    from pipeline.evaluate.measure import main as measure

    measure(arguments)


if __name__ == "__main__":
    run_rank(main)
