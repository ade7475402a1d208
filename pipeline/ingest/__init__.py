"""From raw files and row functions to rows.

    surveys = [survey(source, part_bytes=…) for source in recipe.sources]   # one pass over every byte, on any worker
    parts = plan_parts(surveys, part_bytes)                                 # which blocks make which part
    ingested = read_blocks(parts[0], max_row_bytes=…)                       # rows, and why others are none
    for ingested in read_slices(parts[0], max_row_bytes=…, slice_bytes=…)   # the same in bounded memory

A row is named by where it stands, so that cutting the input in other places changes no id.
"""

from pipeline.ingest.blocks import Block, Survey, plan_parts
from pipeline.ingest.read import Ingested, read_blocks, read_slices
from pipeline.ingest.survey import check_source, survey
from pipeline.ingest.targets import Target, TargetShard, sharded

__all__ = [
    "Block",
    "Ingested",
    "Survey",
    "Target",
    "TargetShard",
    "check_source",
    "plan_parts",
    "read_blocks",
    "read_slices",
    "sharded",
    "survey",
]
