"""`python -m tests.train.drive RUN`: the train stage as the command runs it; a process of its own to be killed."""

from __future__ import annotations

import sys

from pipeline.errors import ProjectError
from pipeline.run import RunDirectory
from pipeline.train import train

if __name__ == "__main__":
    try:
        train(*RunDirectory.existing(sys.argv[1]))
    except ProjectError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
