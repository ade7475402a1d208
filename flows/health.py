"""`python -m flows.health [URL]`: exit code 0 if the address answers; what the image's HEALTHCHECK asks."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

__all__ = ["main"]

_PATIENCE = 5.0
"""Seconds; below the time-out of the health check."""


def main(arguments: list[str]) -> int:
    """Ask `URL`, or the Prefect server that this container works for.

    Prefect's `/health` needs no password, so none is sent. A container without a server, of a run by hand, is well.
    """
    server = os.environ.get("PREFECT_API_URL")
    url = arguments[0] if arguments else f"{server}/health" if server else None
    if url is None:
        return 0
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE):
            return 0
    except (urllib.error.URLError, OSError, ValueError) as error:
        print(f"{url}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
