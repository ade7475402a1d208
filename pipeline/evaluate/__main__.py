"""`python -m pipeline.evaluate RUN_DIR FINGERPRINT`: the measuring process that the stage starts."""

from __future__ import annotations

from pipeline.train.lifetime import run_rank

if __name__ == "__main__":
    # Imported in the call: torch takes seconds, and the process must be tied to its parent before.
    def main(arguments: object) -> None:
        """Measure, with everything heavy imported late."""
        from pipeline.evaluate.measure import main as measure

        measure(arguments)  # type: ignore[arg-type]

    run_rank(main)
