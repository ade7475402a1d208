"""The rows of a run that reached the rules: their signals and the rules they fail, read column by column."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from pipeline.config import RULE_KINDS, Bound
from pipeline.curate.rules import Values
from pipeline.errors import InputError, RunDirectoryError, did_you_mean
from pipeline.run import Manifest, RunDirectory
from pipeline.schema import VERDICTS

__all__ = ["MeasuredRows"]


class MeasuredRows:
    """Rows of `signals/`, all or of one kind or source; a signal is read when it is asked for.

    Args:
        run: whose pass one has finished.
        kind: only rows of this kind.
        source: only rows of this source.

    Raises:
        InputError: the run has no such source, or there is no such kind.
        RunDirectoryError: the run has no signals.
    """

    def __init__(self, run: RunDirectory, *, kind: str | None = None, source: str | None = None) -> None:
        manifest = Manifest.read(run.path("signals"))
        if manifest is None:
            raise RunDirectoryError(
                "the run has no signals to sweep over",
                where=str(run.path("signals")),
                mend="run `curate-and-train curate RECIPE` first; a run of an older version measures its rows again",
            )
        _check("kind", kind, RULE_KINDS)
        _check("source", source, manifest.summary["sources"])
        self.rules: dict[str, dict[str, Bound]] = {
            which: {name: Bound.model_validate(bound) for name, bound in rules.items()}
            for which, rules in manifest.config["rules"].items()
        }
        """Kind → rule → bound with its signal, as the run applied them."""
        files = [str(run.path(part["name"])) for part in manifest.parts]
        # The files' own columns: another version may have measured other signals.
        self._data = ds.dataset(files, format="parquet") if files else ds.dataset(VERDICTS.empty_table())
        wanted = [("kind", kind), ("source", source)]
        self._filter = None
        for column, value in wanted:
            if value is not None:
                same = pc.field(column) == value
                self._filter = same if self._filter is None else self._filter & same
        table = self._read("source", "kind", "failed")
        self._kind, self._source = table["kind"], table["source"]
        self._failed = table["failed"].combine_chunks()

    def __len__(self) -> int:
        return len(self._failed)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of these rows."""
        return tuple(sorted(pc.unique(self._kind).to_pylist()))

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The sources of these rows."""
        return tuple(sorted(pc.unique(self._source).to_pylist()))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The rules that the run applied to rows of these kinds."""
        return tuple(sorted({name for kind in self.kinds for name in self.rules[kind]}))

    def of_kind(self, kind: str) -> NDArray[np.bool_]:
        """Which rows are of a kind."""
        return _equal(self._kind, kind)

    def of_source(self, source: str) -> NDArray[np.bool_]:
        """Which rows are of a source."""
        return _equal(self._source, source)

    def has(self, signal: str) -> bool:
        """Whether some row has a value of the signal."""
        if signal not in self._data.schema.names:
            return False
        absent = pc.is_null(self._read(signal)[signal], nan_is_null=True)
        return not pc.all(absent).as_py()

    def signal(self, name: str) -> Values:
        """The values of a signal: numbers [rows], or an Arrow array of texts."""
        column = self._read(name)[name].combine_chunks()
        return column if pa.types.is_string(column.type) else column.to_numpy(zero_copy_only=False)

    @cached_property
    def failures(self) -> NDArray[np.int64]:
        """How many rules each row failed in the run: int64 [rows]."""
        found: NDArray[np.int64] = self._failed.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
        return found

    def failed_in_run(self, rule: str) -> NDArray[np.bool_]:
        """Which rows failed a rule in the run."""
        found = np.zeros(len(self), np.bool_)
        found[self._row_of_failure[self._rule_of_failure == self._number(rule)]] = True
        return found

    @cached_property
    def _row_of_failure(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self)), self.failures)

    @cached_property
    def _coded(self) -> pa.DictionaryArray:
        return self._failed.flatten().dictionary_encode()

    @cached_property
    def _rule_of_failure(self) -> NDArray[np.int32]:
        codes: NDArray[np.int32] = self._coded.indices.to_numpy(zero_copy_only=False)
        return codes

    def _number(self, rule: str) -> int:
        names: Mapping[str, int] = {name: code for code, name in enumerate(self._coded.dictionary.to_pylist())}
        return names.get(rule, -1)

    def _read(self, *columns: str) -> pa.Table:
        return self._data.to_table(columns=list(columns), filter=self._filter)


def _equal(column: pa.ChunkedArray, value: str) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = pc.equal(column, value).to_numpy()
    return found


def _check(what: str, given: str | None, known: Mapping[str, object] | tuple[str, ...]) -> None:
    if given is not None and given not in known:
        raise InputError(
            f"the run has no {what} {given!r}{did_you_mean(given, known)}", mend=f"it has: {', '.join(known)}"
        )
