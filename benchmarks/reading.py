"""How fast each kind of file is read, by how many workers it could be, and how little memory that takes.

    python benchmarks/reading.py [MEGABYTES] [FORM …]

The same rows are written in every form (or those named). Each is surveyed and read in slices of 4 MiB, as pass one
does, in a process of its own that has read a small file before; the peak is the highest resident memory above what it
took idle (Linux). A form that held its file would show the file's size there.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import resource
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import Source
from pipeline.ingest import read_slices, survey

FORMS: dict[str, Callable[[bytes], bytes]] = {
    ".jsonl": bytes,
    ".jsonl.gz": lambda lines: gzip.compress(lines, 1),
    ".jsonl.bz2": lambda lines: bz2.compress(lines, 1),
    ".jsonl.xz": lambda lines: lzma.compress(lines, preset=0),
    ".jsonl.zst": lambda lines: pa.compress(lines, codec="zstd", asbytes=True),
}
MORE = (".frames.jsonl.zst", ".json", ".csv", ".parquet", ".one.parquet", ".zip", ".tar.gz", " target")
TEXT = "Some words about something, as a line of a book has them; "
PART = 4 << 20


def main() -> None:
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 64.0
    wanted = sys.argv[2:] or [*FORMS, *MORE]
    print(f"{'form':<16}{'MB':>6}{'blocks':>8}{'survey MB/s':>13}{'read MB/s':>11}{'peak - idle, MB':>17}{'/ rows':>8}")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), rows(0.2), "small", wanted)
        write(Path(folder), rows(megabytes), "large", wanted)
        for name in wanted:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                blocks, size, surveyed, read, peak = pool.submit(measure, Path(folder), name, megabytes).result()
            print(
                f"{name:<16}{size / 1e6:>6.0f}{blocks:>8}{size / 1e6 / surveyed:>13.0f}{size / 1e6 / read:>11.0f}"
                f"{peak / 1e6:>17.0f}{peak / size:>8.2f}"
            )


def rows(megabytes: float) -> list[dict[str, str]]:
    """Rows of about 1,000 characters."""
    return [{"text": f"{number} " + TEXT * 17, "n": str(number)} for number in range(int(megabytes * 1000))]


def write(folder: Path, given: list[dict[str, str]], stem: str, wanted: list[str]) -> None:
    """Write the rows in each form that is wanted."""
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in given)
    frames = [lines[at : at + (1 << 20)] for at in range(0, len(lines), 1 << 20)]
    for form in wanted:
        path = folder / f"{stem}{form}"
        if form in FORMS:
            path.write_bytes(FORMS[form](lines))
        elif form == ".frames.jsonl.zst":
            path.write_bytes(b"".join(pa.compress(frame, codec="zstd", asbytes=True) for frame in frames))
        elif form == ".json":
            path.write_text(json.dumps(given, indent=1))
        elif form == ".csv":
            with path.open("w", newline="") as out:
                writer = csv.DictWriter(out, ["text", "n"])
                writer.writeheader()
                writer.writerows(given)
        elif form.endswith(".parquet"):
            size = len(given) if form == ".one.parquet" else 8192
            pq.write_table(pa.Table.from_pylist(given), path, row_group_size=size)
        elif form == ".zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for row in given:
                    archive.writestr(f"{row['n']}.txt", row["text"])
        elif form == ".tar.gz":
            with tarfile.open(path, "w:gz", compresslevel=1) as tar:
                for row in given:
                    member = tarfile.TarInfo(f"{row['n']}.txt")
                    member.size = len(row["text"])
                    tar.addfile(member, io.BytesIO(row["text"].encode()))


def measure(folder: Path, form: str, megabytes: float) -> tuple[int, int, float, float, int]:
    """Blocks, bytes of rows, seconds of the survey and of reading, and bytes at most above idle."""
    read(folder, form, "small", 0.2)
    idle = resident()
    Path("/proc/self/clear_refs").write_text("5")  # forget the highest mark
    blocks, size, surveyed, seconds = read(folder, form, "large", megabytes)
    return blocks, size, surveyed, seconds, highest() - idle


def read(folder: Path, form: str, stem: str, megabytes: float) -> tuple[int, int, float, float]:
    keys: dict[str, object] = {"path": str(folder / f"{stem}{form}"), "max_expansion": 10_000}
    if form == " target":
        keys = {"target": f"{__file__}:target", "args": {"megabytes": megabytes}}
    source = Source.model_validate({"name": "s", "kind": "text", "format": "text", **keys})
    began = time.process_time()
    found = survey(source, part_bytes=PART)
    surveyed = time.process_time() - began
    size = 0
    for slice_ in read_slices(found.blocks, max_row_bytes=1 << 26, slice_bytes=PART):
        size += slice_.bytes_in
        assert not len(slice_.rejected)
    return len(found.blocks), size, max(surveyed, 1e-6), time.process_time() - began - surveyed


def target(*, megabytes: float) -> Iterator[dict[str, str]]:
    """The rows without a file."""
    for number in range(int(megabytes * 1000)):
        yield {"text": f"{number} " + TEXT * 17, "n": str(number)}


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def highest() -> int:
    """The most bytes of this process that were in memory since the mark was forgotten."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024


if __name__ == "__main__":
    main()
