"""The tables of presets in `docs/rules.md`; `python -m tests.preset_tables` writes them there."""

from __future__ import annotations

from pathlib import Path

from pipeline.curate.presets import PRESETS

__all__ = ["PAGE", "PRESETS_END", "PRESETS_START", "preset_tables"]

PRESETS_START = "<!-- presets: written by `python -m tests.preset_tables` -->"
PRESETS_END = "<!-- end of presets -->"
_KINDS = tuple(PRESETS["none"])
PAGE = Path(__file__).resolve().parents[1] / "docs" / "rules.md"


def preset_tables() -> str:
    """A table a preset: a line a signal, its bound for each kind of row."""
    return "\n\n".join(_table(name) for name in PRESETS if name != "none")


def _table(preset: str) -> str:
    kinds = PRESETS[preset]
    lines = [f"### `{preset}`", "", f"| signal | {' | '.join(_KINDS)} |", "|---|---|---|---|---|"]
    for name in dict.fromkeys(name for kind in _KINDS for name in kinds[kind]):
        bounds = (kinds[kind].get(name) for kind in _KINDS)
        lines.append(f"| `{name}` | {' | '.join(bound.shown if bound else '' for bound in bounds)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(PRESETS_START)
    after = rest.partition(PRESETS_END)[2]
    PAGE.write_text(f"{before}{PRESETS_START}\n\n{preset_tables()}\n\n{PRESETS_END}{after}", encoding="utf-8")
