"""`python -m pipeline.train.agent …`: torchrun's agent, which dies with the launcher that started it."""

from __future__ import annotations

from pipeline.train.lifetime import die_with_parent

if __name__ == "__main__":
    die_with_parent()
    from torch.distributed.run import main

    main()
