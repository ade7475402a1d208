"""The same rows in another tokenizer's tokens, for a champion that does not share the run's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Recipe
from pipeline.pack.bins import Bins
from pipeline.pack.overflow import decide
from pipeline.pack.targets import Targets
from pipeline.pack.tokenise import Job, tokenise_part
from pipeline.pack.tokenizer import describe_tokenizer, load_tokenizer
from pipeline.pack.tokens import TokenRows
from pipeline.pack.write import SplitBins, write_bins
from pipeline.run import RunDirectory, Stage

__all__ = ["repack"]


def repack(
    packed: Bins, curated: Path, recipe: Recipe, *, split: str, tokenizer: Path, content: str, scratch: Path
) -> Bins:
    """Pack the rows of `packed` once more, with another tokenizer and its own chat template.

    A row that is too long is cut at `pack.seq_length` tokens of *this* tokenizer, so of long rows the last words
    that count may differ: bits a byte of text allow for that, a loss a token would not.

    Args:
        packed: the run's bins of the split: they say which rows count.
        curated: the folder of the split's rows.
        recipe: of the run.
        split: the split's name.
        tokenizer: the folder of the other tokenizer.
        content: its fingerprint.
        scratch: an empty folder that outlives the bins.

    Raises:
        InputError: the other tokenizer's template refuses a row.
    """
    run = RunDirectory(scratch)
    stop_ids = tuple(describe_tokenizer(load_tokenizer(tokenizer))["stop_ids"])
    stage = Stage(run=run, name="repack", version=1, config={}, inputs={}, folders=("tokens",))
    for path in sorted(curated.glob("part-*.parquet")):
        tokenise_part(
            Job(
                stage=stage,
                source=path,
                part=path.stem,
                output=f"tokens/{split}/{path.stem}.arrow",
                tokenizer=tokenizer,
                tokenizer_content=content,
                targets=Targets.of(recipe.pack),
                stop_ids=stop_ids,
            )
        )
    rows = TokenRows.open(run.path(f"tokens/{split}"))
    length = recipe.pack.seq_length
    fate = decide(rows.survey(), length, "truncate", split=split, rows=rows, method=recipe.pack.truncation_method)
    counted = pa.array({row for number in range(len(packed)) for row in packed.get(number).rows}, pa.string())
    same: np.ndarray = pc.is_in(rows.ids(fate.rows), counted).to_numpy(zero_copy_only=False)
    fate = fate.only(same)
    bins = SplitBins.of(split, rows, fate, seq_length=length, seed=recipe.seed)
    for file in bins.files():
        write_bins(run.path(file.name), rows, bins.layout.part(file.begin, file.end), length)
    return Bins.open(run.path(f"packed/{split}"))
