"""Compile the kernels once on a machine, on all its cores, before the workers need them.

Numba compiles a kernel when it is first called and keeps the machine code on disk. Left to that, every worker of a
cold machine compiles all kernels, each for itself and on one core. `ensure_compiled` has it done once, the parts of
curation side by side, by processes that do nothing else and so can take shorter ways; whoever comes meanwhile waits.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import Clean, Source
from pipeline.curate.whole_loops import compile_whole_loops
from pipeline.engines import ENTITIES, cpu
from pipeline.errors import MachineError
from pipeline.ingest import plan_parts, read_blocks, survey
from pipeline.schema import MESSAGES
from pipeline.text.kernel import compiled_files, source_digest

__all__ = ["ensure_compiled", "is_compiled"]

_TEXTS = ("Some words \u00e9\u00e0 \u212b by a@b.example, +1 415 555 0123\r\n", "def f():\n    return 1  # some\n", "")


def ensure_compiled(tell: Callable[[], None] = lambda: None) -> None:
    """Compile what is not compiled yet for this machine and this source; else return at once.

    Args:
        tell: called once if there is something to do, which takes half a minute.

    Raises:
        MachineError: a process that compiles failed.
    """
    if is_compiled():
        return
    tell()
    with _alone():
        if is_compiled():  # by whoever held the lock
            return
        shares = _shares(len(os.sched_getaffinity(0)))
        with ThreadPoolExecutor(len(shares)) as pool:
            for done in pool.map(_in_a_process, shares):
                if done.returncode:
                    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
                    raise MachineError(
                        f"the text kernels cannot be compiled: {last}",
                        where=str(_stamp().parent),
                        mend="see `curate-and-train doctor`; NUMBA_CACHE_DIR names a folder that can be written",
                    )
        _stamp().touch()


def is_compiled() -> bool:
    """Whether the kernels of this source are compiled for this processor."""
    return _stamp().exists()


def _shares(processes: int) -> list[list[str]]:
    """The steps for each of so many processes, or of fewer if there are not as many steps."""
    shares: list[list[str]] = [[] for _ in range(min(processes, len(_STEPS)))]
    for step in sorted(_STEPS, key=lambda step: _STEPS[step].seconds, reverse=True):
        min(shares, key=lambda share: sum(_STEPS[taken].seconds for taken in share)).append(step)
    return shares


def _in_a_process(steps: list[str]) -> subprocess.CompletedProcess[str]:
    # Numba makes ten thousand errors on its way to a type, and colours the text of each.
    environment = {**os.environ, "NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING": "1"}
    command = [sys.executable, "-c", f"from {__name__} import _main; _main()", *steps]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@cache
def _stamp() -> Path:
    """A file beside the machine code, named after all that it depends on."""
    from numba.core.registry import cpu_target

    processor = cpu_target.target_context.codegen().magic_tuple()
    key = repr((source_digest(), numba.__version__, sys.version_info[:3], processor))
    return compiled_files() / f"compiled-{hashlib.blake2b(key.encode(), digest_size=8).hexdigest()}"


@contextmanager
def _alone() -> Iterator[None]:
    handle = os.open(_stamp().with_name("compiling.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _compile_redaction() -> None:
    texts = pa.array(_TEXTS, pa.large_string())
    cpu.redact(texts, ENTITIES)
    cpu.redact_json(pa.array(['{"k": ["x@y.example \\n", 4111111111111111]}'], pa.large_string()), ENTITIES)


def _compile_signals() -> None:
    cpu.signals(pa.array(_TEXTS, pa.large_string()), np.zeros(len(_TEXTS), np.int8))


def _compile_cleaning() -> None:
    texts = pa.array(_TEXTS, pa.large_string())
    for cleaners in Clean().model_dump().values():
        cpu.clean(texts, cleaners)


def _compile_keys() -> None:
    texts = pa.array(_TEXTS, pa.large_string())
    normal = cpu.normalise(texts)
    digests = cpu.digest(normal, normalised=True)
    cpu.combine(digests, np.array([0, 1, 3], np.int64))
    sketches = cpu.sketch(normal)
    cpu.band_keys(sketches, 16, 7)
    cpu.similarity(sketches, sketches)
    cpu.shingles(normal)
    cpu.cut_shared(normal, cpu.tally_windows(normal, width=16)[0], width=16)
    messages = [[{"role": "user", "content": text} for text in _TEXTS]]
    cpu.join(pa.array(messages, MESSAGES))


def _compile_overlaps() -> None:
    texts = pa.array(_TEXTS, pa.large_string())
    spans = np.zeros(1, np.int64), np.ones(1, np.int64)
    cpu.stretches(texts, 8)
    cpu.digest_spans(texts, *spans)
    cpu.cut_spans(texts, np.zeros(1, np.int64), *spans, np.ones(1, np.bool_))
    cpu.count_words(texts)
    table, _ = cpu.ngram_table(cpu.hash_ngrams(texts, 2).hashes, [2])
    cpu.find_ngrams(texts, table)


def _compile_reading() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text('{"text": "some words", "n": ["x"]}\n', encoding="utf-8")
        pq.write_table(pa.table({"text": ["some words"]}), path.with_suffix(".parquet"))
        seen = survey(Source(name="s", kind="text", format="text", path=f"{folder}/*"), part_bytes=1 << 20)
        for blocks in plan_parts([seen], 1 << 20):
            read_blocks(blocks, max_row_bytes=1 << 20)


class _Step(NamedTuple):
    """A part of curation that shares few kernels with the others."""

    compile: Callable[[], None]
    seconds: int
    """What it takes, roughly; only how the steps compare matters."""


_STEPS = {
    "redaction": _Step(_compile_redaction, 12),
    "signals": _Step(_compile_signals, 10),
    "keys": _Step(_compile_keys, 6),
    "cleaning": _Step(_compile_cleaning, 6),
    "overlaps": _Step(_compile_overlaps, 4),
    "reading": _Step(_compile_reading, 4),
}


def _remember_types() -> None:
    """Have Numba look up the type of a built-in operation only once for the same types of operands.

    It looks through all its templates for each `a + b` of a source, a quarter of what compiling kernels takes. Only a
    process that does nothing but compile does this; the machine code is the same.
    """
    from numba.core.types.functions import BaseFunction, Function

    look_up = BaseFunction.get_call_type
    known: dict[Any, tuple[Any, Any]] = {}

    def get_call_type(self: Any, context: Any, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        if kws:
            return look_up(self, context, args, kws)
        key = (id(context), self.key, args)
        if key not in known:
            signature = look_up(self, context, args, kws)
            known[key] = (signature, self._impl_keys[signature.args])
        signature, implementation = known[key]
        self._impl_keys[signature.args] = implementation
        return signature

    Function.get_call_type = get_call_type


def _main() -> None:
    _remember_types()
    compile_whole_loops()
    for step in sys.argv[1:]:
        _STEPS[step].compile()
