"""What of a recipe's training is served as it stands, and is most likely not what was meant: warnings."""

from __future__ import annotations

from pipeline.config import Launch, Train

__all__ = ["cautions"]


def cautions(train: Train) -> list[str]:
    """A text each, for `plan` and for the start of a training."""
    found = []
    if train.warmup >= train.steps and train.schedule != "constant":
        found.append(
            f"train.warmup is {train.warmup} and train.steps {train.steps}: "
            "the learning rate does not come down from its peak; lower train.warmup"
        )
    launch, usual = train.launch, Launch()
    if launch.nodes == 1 and (launch.rdzv_endpoint, launch.rdzv_timeout) != (usual.rdzv_endpoint, usual.rdzv_timeout):
        found.append(
            "train.launch.rdzv_endpoint and rdzv_timeout have no effect with train.launch.nodes: 1: "
            "this machine trains alone; set nodes to the number of machines"
        )
    return found
