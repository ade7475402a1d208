"""The doctor finds what is wrong, and says nothing that must not be in a bug report."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from pipeline import doctor
from pipeline.doctor import Check
from tests.conftest import ROOT, command


def test_doctor_passes_where_the_tests_pass_and_names_no_secret() -> None:
    environment = {**os.environ, "PREFECT_API_URL": "http://user:secret@127.0.0.1:9/api"}
    done = subprocess.run(
        command("doctor", "--json"), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    report = json.loads(done.stdout)
    assert done.returncode == 0, [check for check in report["checks"] if check["state"] == "fail"]
    assert report["passed"] is True
    found = {check["name"]: check for check in report["checks"]}
    assert {"python", "package torch", "cores", "memory", "disk", "write access", "torch", "encoding"} <= set(found)
    assert found["Prefect API"]["state"] == "info"
    assert "secret" not in done.stdout


def test_a_package_of_another_version_fails_with_the_one_that_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.metadata, "requires", lambda _: ["rich==1.0", "no-such-package", 'x; extra == "gpu"'])
    checks = {check.name: check for check in doctor._packages()}
    assert set(checks) == {"package rich", "package no-such-package"}  # extras are not required
    assert checks["package rich"].state == "fail"
    assert checks["package rich"].mend == "needs ==1.0: run `make setup`"
    assert checks["package no-such-package"].found == "not installed"


def test_a_folder_that_cannot_be_written_fails() -> None:
    check = doctor._writable(Path("/proc"))
    assert check.state == "fail"


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    assert doctor._writable(tmp_path) == Check(name="write access", state="ok", found=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_check_is_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.13: cannot open shared object file')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        command("doctor"), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "torch\tfail\tdoes not start: ImportError: libcudart.so.13" in done.stdout
