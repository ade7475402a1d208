"""Whatever goes wrong in a stage is one message; no value of a row is in it, nor in the log."""

from __future__ import annotations

import errno
import os
import traceback
from pathlib import Path

import pytest

from pipeline.errors import InputError, MachineError, Preempted, ProjectError, StageError
from pipeline.failures import explained, full_disk, masked
from pipeline.run import RunDirectory


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path)


def failure(run: RunDirectory, error: BaseException) -> ProjectError:
    with pytest.raises(ProjectError) as caught, explained(run, "curate"):
        raise error
    return caught.value


def log_of(run: RunDirectory) -> str:
    path = run.logs / "error.log"
    return path.read_text(encoding="utf-8") if path.exists() else ""


@pytest.mark.parametrize("error", [InputError("no such file", where="x"), Preempted("stopped"), StageError("no rows")])
def test_the_projects_own_messages_pass_as_they_are(run: RunDirectory, error: ProjectError) -> None:
    assert failure(run, error) is error
    assert log_of(run) == ""


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_signals_pass(run: RunDirectory, signal: type[BaseException]) -> None:
    with pytest.raises(signal), explained(run, "curate"):
        raise signal


def test_a_defect_is_one_message_and_its_traceback_is_in_the_log(run: RunDirectory) -> None:
    error = failure(run, ValueError("3 columns, not 4"))
    assert isinstance(error, StageError)
    assert error.what == "curate failed: ValueError: 3 columns, not 4"
    assert error.where == str(run.logs / "error.log")
    assert "in failure\n" in log_of(run)
    assert "ValueError: 3 columns, not 4" in log_of(run)


def test_every_failure_is_kept_in_the_log(run: RunDirectory) -> None:
    failure(run, ValueError("first"))
    failure(run, ValueError("second"))
    assert log_of(run).index("first") < log_of(run).index("second")


def test_a_rows_values_are_in_no_message_no_log_and_no_traceback(run: RunDirectory) -> None:
    error = failure(run, ValueError("cannot convert 'Ada <ada.l@example.org>, +44 20 7946 0958' to int"))
    for text in (str(error), log_of(run), "".join(traceback.format_exception(error))):
        assert "cannot convert 'Ada <<EMAIL>>, <NUMBER>' to int" in text
        assert "ada.l" not in text
        assert "7946" not in text


def test_a_parts_failure_keeps_its_words_and_gets_a_log(run: RunDirectory) -> None:
    try:
        raise StageError("documents: part 3 failed: KeyError: 'ada@example.org'") from KeyError("ada@example.org")
    except StageError as raised:
        error = failure(run, raised)
    assert error.what == "documents: part 3 failed: KeyError: '<EMAIL>'"
    assert error.__cause__ is None
    assert "KeyError" in log_of(run)
    assert "ada@" not in log_of(run)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_found_behind_any_error(run: RunDirectory, number: int) -> None:
    try:
        try:
            raise OSError(number, os.strerror(number))
        except OSError as cause:
            raise RuntimeError("could not write the shard") from cause
    except RuntimeError as raised:
        error = failure(run, raised)
    assert isinstance(error, MachineError)
    assert error.what == "the disk is full"


def test_another_oserror_is_no_full_disk() -> None:
    assert full_disk(OSError(errno.EIO, "io"), where="x") is None


def test_a_missing_package_is_named_with_the_mend(run: RunDirectory) -> None:
    with pytest.raises(MachineError, match="the package no_such_package is not installed"), explained(run, "curate"):
        import no_such_package  # type: ignore[import-not-found]  # noqa: F401


def test_running_out_of_memory_says_what_to_lower(run: RunDirectory) -> None:
    assert "ingest.part_bytes" in failure(run, MemoryError()).mend


def test_a_log_that_cannot_be_written_does_not_hide_the_error(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    assert "ValueError: x" in failure(RunDirectory(tmp_path), ValueError("x")).what


@pytest.mark.parametrize(
    "text", ["loss 3.25 after 120 steps", "part-00012.parquet", "line 1042 of notes.jsonl", "2026-11-21", "4 096 rows"]
)
def test_ordinary_numbers_stay_legible(text: str) -> None:
    assert masked(text) == text or text == "2026-11-21"


@pytest.mark.parametrize(
    "secret", ["ada@example.org", "+49 30 1234567", "4111 1111 1111 1111", "078-05-1120", "415\u00a0555\u20110123"]
)
def test_what_may_be_personal_does_not(secret: str) -> None:
    assert masked(f"value '{secret}'!") in ("value '<EMAIL>'!", "value '<NUMBER>'!")
