"""One export: look what the run has, write the format into a new folder, say in its manifest what it holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pipeline import fingerprint
from pipeline.atomic import atomic_folder, write_json
from pipeline.errors import InputError, did_you_mean
from pipeline.export.boundary import boundary_of
from pipeline.export.current import current
from pipeline.export.hub import write_hub
from pipeline.export.jsonl import write_jsonl
from pipeline.export.megatron import write_megatron
from pipeline.export.nanogpt import write_nanogpt
from pipeline.export.nemo import write_nemo
from pipeline.pack.bins import Bins
from pipeline.pack.seal import check_seal
from pipeline.pack.tokenizer import load_tokenizer
from pipeline.run import MANIFEST, Manifest, RunDirectory
from pipeline.schema import SPLITS

__all__ = ["FORMATS", "Counts", "export"]

Counts = dict[str, dict[str, Any]]
"""What was written, by split."""

_NO_MASK = "the format has no loss mask: a trainer that reads it learns every token, prompts too"
_WHOLE_ROWS = "curated rows: `pack.overflow` and the other rules of packing were not applied to them"

FORMATS: dict[str, tuple[Literal["packed", "curated"], str]] = {
    "megatron": ("packed", _NO_MASK),
    "nanogpt": ("packed", _NO_MASK),
    "nemo": ("packed", "loss_mask is shifted left by one within each example, as NeMo has it"),
    "jsonl": ("curated", _WHOLE_ROWS),
    "hf": ("curated", _WHOLE_ROWS),
}
"""What each format is made of, and what its reader must know."""


def export(
    run: RunDirectory, name: str, out: Path, *, header: Literal["current", "legacy"] = "current"
) -> dict[str, Any]:
    """Write a run in format `name` into the folder `out`, replacing an earlier export; return the export's manifest.

    Args:
        run: packed, or for rows at least curated.
        name: one of `FORMATS`.
        out: must not exist, be empty, or hold an export.
        header: of `nanogpt`.

    Raises:
        InputError: no such format, the folder holds something else, or token ids do not fit the format.
        RunDirectoryError: the run has not come far enough, what it has is not what its recipe gives now, or its
            tokenizer's folder changed since.
        MachineError: it cannot be written.
    """
    if name not in FORMATS:
        raise InputError(
            f"there is no export format {name!r}{did_you_mean(name, FORMATS)}",
            where="--format",
            mend="one of " + ", ".join(FORMATS),
        )
    origin, note = FORMATS[name]
    _, recipe = RunDirectory.existing(run.root)
    manifest = current(run, recipe, origin)
    _check_free(out)
    write, particular = _writer(run, name, manifest, out.name, header)
    with atomic_folder(out) as beside:
        splits = write(beside)
        about = {
            "format": name,
            "note": note,
            "run": str(run.shown),
            "made_from": {origin: manifest.content},
            "tokenizer": manifest.summary.get("tokenizer"),
            **particular,
            "splits": splits,
            "files": [
                {
                    "name": str(path.relative_to(beside)),
                    "bytes": path.stat().st_size,
                    "blake3": fingerprint.of_file(path),
                }
                for path in sorted(beside.rglob("*"))
                if path.is_file()
            ],
        }
        write_json(beside / MANIFEST, about)
    return about


def _writer(
    run: RunDirectory, name: str, manifest: Manifest, title: str, header: Literal["current", "legacy"]
) -> tuple[Callable[[Path], Counts], dict[str, Any]]:
    """What fills the folder, and what the manifest says of this format alone."""
    summary = manifest.summary
    if FORMATS[name][0] == "curated":
        parts = {split: sorted(run.path(f"curated/{split}").glob("part-*.parquet")) for split in SPLITS}
        if name == "jsonl":
            return lambda folder: write_jsonl(folder, parts), {}
        return lambda folder: write_hub(folder, parts, name=title), {}
    tokenizer = load_tokenizer(run.path("tokenizer"))
    check_seal(tokenizer, run, run.path("tokenizer"))
    bins = {split: Bins.open(run.path(f"packed/{split}")) for split in SPLITS}
    vocab_size = summary["vocab_size"]
    if name == "megatron":
        return lambda folder: write_megatron(folder, bins, vocab_size=vocab_size), {}
    if name == "nanogpt":
        boundary = boundary_of(tokenizer, bins.values())
        about = {"header": header, "boundary": boundary, "boundary_token": tokenizer.convert_ids_to_tokens(boundary)}
        return lambda to: write_nanogpt(to, bins, vocab_size=vocab_size, boundary=boundary, header=header), about
    return lambda folder: write_nemo(
        folder,
        bins,
        seq_length=summary["seq_length"],
        multiple=summary["pad_to_multiple_of"],
        pad=summary["pad_id"],
    ), {}


def _check_free(out: Path) -> None:
    """Raise unless `out` can be written or replaced.

    Raises:
        InputError: it is a file, or a folder of something else.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        found = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or found.get("format") not in FORMATS:
        raise InputError(
            "the folder to export into holds something else", where=str(out), mend="give a new or empty folder"
        )
