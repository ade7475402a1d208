"""What a container may take is less than the machine has."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from pipeline.host_memory import available_memory, total_memory

FILES = {
    "version 2": ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    "version 1": (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
}


@pytest.mark.parametrize("version", FILES)
def test_a_limit_counts(version: str, tmp_path: Path) -> None:
    limit, usage, statistics, idle = FILES[version]
    (tmp_path / "memory").mkdir()
    (tmp_path / limit).write_text("1000000\n")
    (tmp_path / usage).write_text("700000\n")
    (tmp_path / statistics).write_text(f"rss 5\n{idle} 200000\n")
    assert total_memory(tmp_path) == 1_000_000
    assert available_memory(tmp_path) == 500_000


@pytest.mark.parametrize("limit", ["max", str(2**63 - 4096)])
def test_no_limit_is_the_machine(limit: str, tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("700000\n")
    assert total_memory(tmp_path) == psutil.virtual_memory().total
    assert 0 < available_memory(tmp_path) <= psutil.virtual_memory().total


def test_a_machine_without_groups(tmp_path: Path) -> None:
    assert total_memory(tmp_path) == psutil.virtual_memory().total
