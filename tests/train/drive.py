"""`python -m tests.train.drive RUN [PORT NODE]`: the train stage as the command runs it, to be killed.

With a port and a number, one of two machines that train together.
"""

from __future__ import annotations

import sys

from pipeline.errors import ProjectError
from pipeline.run import RunDirectory
from pipeline.train import join, train

if __name__ == "__main__":
    run, recipe = RunDirectory.existing(sys.argv[1])
    if len(sys.argv) > 2:
        nodes = {"nodes": 2, "node_rank": int(sys.argv[3]), "rdzv_endpoint": f"127.0.0.1:{sys.argv[2]}"}
        section = recipe.training
        launch = section.launch.model_copy(update=nodes)
        recipe = recipe.model_copy(update={"train": section.model_copy(update={"launch": launch})})
    try:
        if recipe.training.launch.node_rank:
            join(run, recipe)
        else:
            train(run, recipe)
    except ProjectError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
