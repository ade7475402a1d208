"""A worker's memory is bounded by the bytes of its part, whatever the lengths of its rows; `benchmarks/memory.py`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

ROWS = {
    "one row of 50 MB": "[(prose * (1 + 50_000_000 // len(prose)))[:50_000_000]]",
    "no ASCII": "['Été à Zürich, 漢字かな。 ' * 1_400_000]",
    "odd lengths": "[prose[:size] for _ in range(3) for size in (300, 9_999_999, 200, 3_000, 5_000_001)]",
}

MEASURE = """
import sys
from pathlib import Path
import memory, texts

prose = "\\n".join(texts.changed_texts(10))
folder = Path(sys.argv[1])
size = texts.write_rows(folder / "rows.jsonl", iter({rows}))
idle, peak, _ = memory.one_part(folder)
print((peak - idle) / size)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the kernel cannot forget the highest mark")
@pytest.mark.parametrize("rows", ROWS)
def test_a_worker_takes_less_than_six_times_its_part(rows: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE.format(rows=ROWS[rows]), str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'benchmarks'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert 0 < float(done.stdout) < 6
