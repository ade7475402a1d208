"""Which documents of which files go into which split: paths, shares of splits, weights of files."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from pipeline.config.pretokenised import Pretokenised
from pipeline.errors import InputError, RecipeError
from pipeline.schema import SPLITS

__all__ = ["Weighted", "blend", "expand", "split_borders"]


class Weighted(NamedTuple):
    """Files, and what share of the documents each gives; null: all of every file."""

    files: list[Path]
    weights: list[float] | None


def expand(spec: Pretokenised) -> dict[str, Weighted]:
    """The files of each split, or under `all` those that `split` cuts.

    Raises:
        InputError: no file matches a path.
        RecipeError: the weights are not numbers above 0.
    """
    if isinstance(spec.paths, dict):
        return {split: _files(spec.paths[split], spec) for split in SPLITS if split in spec.paths}
    return {"all": _files(spec.paths, spec)}


def split_borders(split: str, documents: int, *, where: str = "pack.pretokenised.split") -> list[tuple[int, int]]:
    """The documents of train, validation and test: from the first, to before the last.

    Megatron's rule: the numbers in the text, filled up with zeros, normalised, and the borders rounded.

    Raises:
        RecipeError: there are no numbers, more than three, or all are 0.
    """
    shares = [float(number) for number in re.findall(r"[.0-9]+", split)]
    if not shares or len(shares) > 3 or not sum(shares):
        raise RecipeError(
            f"`split: {split}` does not say how much goes to train, validation and test",
            where=where,
            mend='three numbers, such as "900,50,50" or "0.9,0.05,0.05"',
        )
    total = sum(shares)
    borders = [0]
    for share in [*shares, 0.0, 0.0][:3]:
        borders.append(borders[-1] + round(share / total * documents))
    borders[3] = borders[3] + documents - borders[-1]  # what rounding left over or made
    return [(min(borders[n], documents), min(borders[n + 1], documents)) for n in range(3)]


def blend(sizes: list[int], weights: list[float] | None) -> list[int]:
    """How many documents each file gives, from its first on, so that the shares are those of the weights.

    Documents are drawn as Megatron blends: each time from the file that is furthest behind its share
    (argmax of weight × max(drawn, 1) − taken, the first of equals), until that file has none left. So nothing is
    repeated, and every count is within one of its share.

    Args:
        sizes: documents of each file.
        weights: above 0, of any sum; null takes every document of every file.
    """
    if weights is None:
        return sizes
    # A file without documents (a small one's share of the test split) would end the blend before it begins.
    shares = np.where(np.array(sizes) > 0, weights, 0.0)
    if not shares.any():
        return [0] * len(sizes)
    return [int(count) for count in _blend(np.array(sizes, np.int64), shares / shares.sum())]


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _blend(sizes: NDArray[np.int64], shares: NDArray[np.float64]) -> NDArray[np.int64]:
    taken = np.zeros(len(sizes), dtype=np.int64)
    drawn = 0
    while True:
        best = 0
        behind = -np.inf
        for file in range(len(sizes)):
            error = shares[file] * max(drawn, 1) - taken[file]
            if shares[file] > 0 and error > behind:
                behind = error
                best = file
        if taken[best] == sizes[best]:
            return taken
        taken[best] += 1
        drawn += 1


def _files(given: str | list[str], spec: Pretokenised) -> Weighted:
    entries = [given] if isinstance(given, str) else given
    weights: list[float] | None = None
    if len(entries) > 1 and len(entries) % 2 == 0 and all(_is_number(entry) for entry in entries[::2]):
        weights = [float(entry) for entry in entries[::2]]
        if min(weights) <= 0:
            raise RecipeError(
                "a weight must be above 0",
                where=spec.key("paths"),
                mend='weights and paths in turn: ["30", "a", "70", "b"]',
            )
        entries = entries[1::2]
    groups = [_matching(entry, spec) for entry in entries]
    if weights is None:
        return Weighted([path for group in groups for path in group], None)
    # The files of a glob share its weight by their number.
    spread = [weight / len(group) for weight, group in zip(weights, groups, strict=True) for _ in group]
    return Weighted([path for group in groups for path in group], spread)


def _matching(pattern: str, spec: Pretokenised) -> list[Path]:
    if spec.format == "megatron":
        prefix = re.sub(r"\.(bin|idx)$", "", pattern)
        found = sorted(path.removesuffix(".idx") for path in glob.glob(f"{prefix}.idx"))
    else:
        found = sorted(path for path in glob.glob(pattern) if path.endswith(".bin"))
    if not found:
        raise InputError(
            f"no {spec.format} file matches {pattern!r}",
            where=spec.key("paths"),
            mend="paths are relative to the working directory; Megatron's are prefixes without `.bin` and `.idx`",
        )
    return [Path(path) for path in found]


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]*\.?[0-9]+", text.strip()) is not None
