"""The pull step of `prefect.yaml`: run a flow where its files are."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["enter_checkout"]


def enter_checkout() -> dict[str, str]:
    """Make the project's checkout the working directory of a flow run, and return it.

    Without a pull step `prefect deploy` would write the deploying machine's directory into the deployment, and a
    worker on another machine would fail there. Recipes name files relative to the checkout (`data/demo.yaml`), and
    every worker knows its own: the one its environment is installed from (`pip install --editable`). In an image
    with an ordinary installation there is none, and the image's working directory stays.
    """
    checkout = Path(__file__).resolve().parents[1]
    if (checkout / "prefect.yaml").exists():
        os.chdir(checkout)
    return {"directory": os.getcwd()}
