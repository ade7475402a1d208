"""A rule is a bound on a signal. All rules are evaluated for every row, not only the first that fails."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from pipeline.config import Bound, Rules
from pipeline.schema import LEDGER

__all__ = ["PRESETS", "failures", "rules_for"]

PRESETS: dict[str, dict[str, dict[str, Bound]]] = {
    "none": {"text": {}, "code": {}, "pair": {}, "chat": {}},
    # The supervised fine-tuning playbook: NeMo Curator's word and line counts, Gopher's repetition thresholds and the
    # URL share. The playbook asks for 50 words of running text and 5 of code; a pair is short text and code in one
    # row, so it gets the lower bound, and the repetition bounds of text, which its prompts had to pass too.
    "playbook": {
        "text": {
            "line_count": Bound(min=1),
            "word_count": Bound(min=50, max=100_000),
            "top_2gram_share_curator": Bound(max=0.20),
            "top_3gram_share_curator": Bound(max=0.18),
            "top_4gram_share_curator": Bound(max=0.16),
            "duplicate_line_share_curator": Bound(max=0.3),
            "duplicate_paragraph_share_curator": Bound(max=0.3),
            "url_share": Bound(max=0.2),
        },
        "code": {
            "line_count": Bound(min=5, max=20_000),
            "word_count": Bound(min=5, max=100_000),
            "url_share": Bound(max=0.2),
        },
        "pair": {
            "word_count": Bound(min=5, max=100_000),
            "top_2gram_share_curator": Bound(max=0.20),
            "top_3gram_share_curator": Bound(max=0.18),
            "top_4gram_share_curator": Bound(max=0.16),
            "duplicate_paragraph_share_curator": Bound(max=0.3),
            "url_share": Bound(max=0.2),
        },
        "chat": {
            "word_count": Bound(min=5, max=100_000),
            "top_2gram_share_curator": Bound(max=0.20),
            "top_3gram_share_curator": Bound(max=0.18),
            "top_4gram_share_curator": Bound(max=0.16),
            "url_share": Bound(max=0.2),
        },
    },
}


def rules_for(rules: Rules, kind: str) -> dict[str, Bound]:
    """The bounds for rows of `kind`: the preset, then `rules.all`, then the kind's own; null drops a rule."""
    bounds: dict[str, Bound | None] = {**PRESETS[rules.preset][kind], **rules.all, **getattr(rules, kind)}
    return {name: bound for name, bound in sorted(bounds.items()) if bound is not None}


def failures(
    bounds: Mapping[str, Bound], signals: Mapping[str, np.ndarray], ids: pa.Array, sources: pa.Array
) -> tuple[np.ndarray, pa.Table]:
    """Evaluate every rule on every row.

    Args:
        bounds: rule name → bound.
        signals: signal name → values [rows].
        ids: string [rows].
        sources: string [rows].

    Returns:
        bool [rows], true where every rule holds; and one ledger line for each rule that a row failed.
    """
    passed = np.ones(len(ids), dtype=np.bool_)
    lines = []
    for name, bound in bounds.items():
        values = signals[name].astype(np.float64)
        for threshold, failed in (
            (bound.min, values < (bound.min if bound.min is not None else -np.inf)),
            (bound.max, values > (bound.max if bound.max is not None else np.inf)),
        ):
            where = np.flatnonzero(failed)
            if not len(where):
                continue
            passed[where] = False
            lines.append(
                pa.table(
                    {
                        "id": ids.take(pa.array(where)),
                        "source": sources.take(pa.array(where)),
                        "stage": pa.repeat("filter", len(where)),
                        "rule": pa.repeat(name, len(where)),
                        "value": pa.array(values[where]),
                        "threshold": pa.repeat(float(threshold or 0.0), len(where)),
                        "evidence": pa.nulls(len(where), pa.string()),
                    },
                    schema=LEDGER,
                )
            )
    return passed, pa.concat_tables([LEDGER.empty_table(), *lines])
