"""A Hugging Face dataset folder: Parquet shards of the curated rows, and a dataset card that names the splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.schema import ROWS

__all__ = ["write_hub"]

_CARD = """\
---
configs:
- config_name: default
  data_files:
{splits}
---

# {name}

Curated rows, written by `curate-and-train export --format hf`.

    from datasets import load_dataset
    rows = load_dataset("{name}")

| split | rows |
|---|---|
{table}

| column | what |
|---|---|
| `id` | `<source>/<shard>#<row>` |
| `source`, `kind` | the source's name; `text`, `code`, `pair`, `chat` or `retrieval` |
| `messages` | role and content; `extra` is the exact JSON of a message's other keys, or null |
| `tools`, `metadata` | exact JSON, or null |
"""


def write_hub(folder: Path, splits: Mapping[str, Sequence[Path]], *, name: str) -> dict[str, dict[str, Any]]:
    """Write `data/{split}-00000-of-00002.parquet` … and `README.md` into `folder`; an empty split is left out.

    Args:
        folder: exists.
        splits: the curated parts of each split.
        name: of the dataset, in the card.

    Returns:
        Rows and files, by split.
    """
    (folder / "data").mkdir()
    counts = {}
    for split, parts in splits.items():
        full = [part for part in parts if pq.read_metadata(part).num_rows]
        rows = 0
        for number, part in enumerate(full):
            target = folder / f"data/{split}-{number:05d}-of-{len(full):05d}.parquet"
            with pq.ParquetFile(part) as file, pq.ParquetWriter(target, ROWS, compression="zstd") as writer:
                for batch in file.iter_batches(batch_size=2048, columns=ROWS.names):
                    writer.write_batch(batch.cast(ROWS))
                    rows += batch.num_rows
        if rows:
            counts[split] = {"rows": rows, "files": len(full)}
    lines = [f"  - split: {split}\n    path: data/{split}-*.parquet" for split in counts]
    table = [f"| {split} | {one['rows']:,} |" for split, one in counts.items()]
    card = _CARD.format(splits="\n".join(lines), table="\n".join(table), name=name)
    (folder / "README.md").write_text(card, encoding="utf-8")
    return counts
