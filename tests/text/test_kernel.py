"""Every kernel gives the same bits on the CPU and in the CUDA simulator, compiles for a GPU, and is never stale."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import pipeline
from pipeline.text import kernel
from tests.text.cases import cases, names, run

ROOT = Path(__file__).parents[2]


def test_every_kernel_has_cases() -> None:
    assert {name for name, _ in cases()} == names()


def test_the_simulator_gives_the_bits_of_the_cpu(tmp_path: Path) -> None:
    out = tmp_path / "results"
    done = subprocess.run(
        [sys.executable, "-m", "tests.text.simulate", str(out)], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    simulated = pickle.loads(out.read_bytes())
    compiled = [(case[0], run(case, dispatcher(case[0]))) for case in cases()]
    assert len(simulated) == len(compiled)
    different = {here[0] for here, there in zip(compiled, simulated, strict=True) if here != there}
    assert not different


def dispatcher(name: str) -> Any:
    """What the CPU runs under a kernel's name: the module's own attribute."""
    module, function = name.split(".")
    return getattr(sys.modules[f"pipeline.text.{module}"], function)


@pytest.fixture
def hopper(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`numba.cuda` as on a machine with an sm_90 device: where a kernel calls another, it asks the driver which."""
    cuda = pytest.importorskip("numba.cuda", reason="numba-cuda is not installed")
    import numba.cuda.dispatcher

    device = SimpleNamespace(compute_capability=(9, 0))
    monkeypatch.setattr(numba.cuda.dispatcher, "get_current_device", lambda: device)
    return cuda


@pytest.mark.parametrize("name", sorted(names()))
def test_compiles_to_ptx(name: str, hopper: Any) -> None:
    declared = kernel.KERNELS[name]
    ptx, result = hopper.compile(
        declared.function, declared.signature, device=True, cc=(9, 0), output="ptx", abi="numba"
    )
    assert ".target sm_90" in ptx
    assert str(result) == declared.signature.partition("(")[0]
    assert "extern .func" not in ptx  # no call into a runtime: nothing is allocated, printed or raised
    assert ".f64" not in ptx  # integers only, so no rounding can differ
    assert ".f32" not in ptx


def test_a_changed_helper_is_never_stale(tmp_path: Path) -> None:
    """Numba's own cache would keep the machine code of a caller in another file."""
    package = tmp_path / "pipeline"
    shutil.copytree(Path(pipeline.__file__).parent / "text", package / "text", ignore=shutil.ignore_patterns("__pyc*"))
    (package / "__init__.py").touch()
    code = "from pipeline.text.hashing import slots_for; print(slots_for(9))"
    caller = package / "text" / "hashing.py"
    source = caller.read_text()
    (package / "text" / "helper.py").write_text(
        "from pipeline.text.kernel import declare\n\n@declare('int64()')\ndef smallest():\n    return 4\n"
    )
    changed = source.replace("    slots = 4\n", "    slots = smallest()\n")
    assert changed != source
    caller.write_text(
        changed.replace("import numpy as np", "import numpy as np\nfrom pipeline.text.helper import smallest")
    )

    def answer() -> str:
        env = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert answer() == "32"
    assert any((tmp_path / "cache").rglob("hashing.slots_for*.nbi"))
    helper = package / "text" / "helper.py"
    helper.write_text(helper.read_text().replace("return 4", "return 64"))
    assert answer() == "64"
