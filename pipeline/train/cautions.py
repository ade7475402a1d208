"""What of a recipe's training is served as it stands, and is most likely not what was meant: warnings."""

from __future__ import annotations

from pipeline.config import Launch, Lora, Train

__all__ = ["cautions"]


def cautions(train: Train) -> list[str]:
    """A text each, for `plan` and for the start of a training."""
    found = []
    if train.warmup >= train.steps and train.schedule != "constant":
        found.append(
            f"train.warmup is {train.warmup} and train.steps {train.steps}: "
            "the learning rate does not come down from its peak; lower train.warmup"
        )
    given = [name for name in Lora.model_fields if getattr(train.lora, name) != getattr(Lora(), name)]
    if train.method == "full" and given:
        found.append(f"train.lora.{', train.lora.'.join(given)}: no effect with train.method: full; set method: lora")
    if train.validation is not None and train.validation.min_delta and train.validation.patience is None:
        found.append("train.validation.min_delta has no effect without train.validation.patience, which it is for")
    launch, usual = train.launch, Launch()
    if launch.nodes == 1 and (launch.rdzv_endpoint, launch.rdzv_timeout) != (usual.rdzv_endpoint, usual.rdzv_timeout):
        found.append(
            "train.launch.rdzv_endpoint and rdzv_timeout have no effect with train.launch.nodes: 1: "
            "this machine trains alone; set nodes to the number of machines"
        )
    return found
