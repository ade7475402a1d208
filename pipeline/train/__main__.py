"""`torchrun -m pipeline.train RUN_DIRECTORY`: one rank of a training run; reads recipe.yaml there.

setup → fit. The launcher (`pipeline.train.train`) starts it; started by hand under torchrun it trains too,
but writes no manifest.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence

from pipeline.train.lifetime import run_rank


def main(arguments: Sequence[str]) -> None:
    """Train, or go on from the newest checkpoint.

    Raises:
        Preempted: SIGTERM came; all steps done are in a checkpoint.
        ProjectError: see `setup` and `pipeline.train.loop.fit`.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())

    from pipeline.errors import Preempted
    from pipeline.run import RunDirectory
    from pipeline.train.parallel import Ranks
    from pipeline.train.setup import setup

    run, recipe = RunDirectory.existing(arguments[0])
    with Ranks.join(recipe.device) as ranks:
        finished = setup(run, recipe, ranks).fit(stop)
    if not finished:
        raise Preempted(
            "stopped before the last step", where=str(run.root), mend="run the same command again: it resumes"
        )


if __name__ == "__main__":
    run_rank(main)
