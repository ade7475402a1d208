"""`python -m flows.prepare [--gpu]`: what the deployments of `prefect.yaml` need on a server, made or updated.

Two work pools; two variables, which say what a container of the pool `docker` is made from; and an automation that
gives up runs whose worker has died. Run it before `prefect deploy --all`, and as often as you like.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from datetime import timedelta
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import get_current_settings
from prefect.variables import Variable
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

__all__ = ["main", "silent_for", "variables"]

POOLS = {"local-process": "process", "docker": "docker"}
"""Name → type."""

AUTOMATION = "curate-and-train: runs of dead workers"

_MISSED = 3
"""Heartbeats that may be missed before a run is given up: one may be late, a server may be restarted."""


def main(arguments: list[str]) -> None:
    """Make pools, variables and automation, and say so."""
    parser = argparse.ArgumentParser(prog="python -m flows.prepare", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--gpu", action="store_true", help="containers get every GPU, and the image with CUDA")
    options = parser.parse_args(arguments)
    with get_client(sync_client=True) as client:
        for name, kind in POOLS.items():
            print(f"work pool {name}: {_pool(client, name, kind)}")
        print(f"automation {AUTOMATION!r}: {_automation(client)}")
    for name, value in variables(gpu=options.gpu).items():
        Variable.set(name, value, overwrite=True)
        print(f"variable {name}: {json.dumps(value)}")


def variables(*, gpu: bool) -> dict[str, Any]:
    """The image of a container run, and the devices it asks Docker for (docker-py's `device_requests`)."""
    every_gpu = {"driver": "nvidia", "count": -1, "capabilities": [["gpu"]]}
    return {
        "training_image": f"curate-and-train:{'gpu' if gpu else 'cpu'}",
        "training_devices": [every_gpu] if gpu else [],
    }


def silent_for() -> timedelta:
    """How long a run may be silent before it counts as lost."""
    frequency = get_current_settings().flows.heartbeat_frequency or 180
    return timedelta(seconds=_MISSED * frequency)


def _pool(client: SyncPrefectClient, name: str, kind: str) -> str:
    # Without its template a pool takes any job variable, and a deployment's mistake shows when a run starts.
    template = asyncio.run(get_default_base_job_template_for_infrastructure_type(kind))
    try:
        client.create_work_pool(WorkPoolCreate(name=name, type=kind, base_job_template=template or {}))
    except ObjectAlreadyExists:
        return "there already"
    return f"made, of type {kind}"


def _automation(client: SyncPrefectClient) -> str:
    """A run that has sent a heartbeat and then nothing, no state either, is Crashed: it holds its slot no longer."""
    wanted = AutomationCore(
        name=AUTOMATION,
        description="Without it a run whose worker was lost stays Running for ever, and holds its place.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=silent_for(),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="its worker sends no heartbeat any more")],
    )
    found = client.read_automations_by_name(AUTOMATION)
    if found:
        client.update_automation(found[0].id, wanted)
    else:
        client.create_automation(wanted)
    return f"{'up to date' if found else 'made'}, after {silent_for().total_seconds():.0f} s of silence"


if __name__ == "__main__":
    main(sys.argv[1:])
