"""What a machine lacks for curation on GPUs, and what is chosen; the tests' machines lack a driver or a device."""

from __future__ import annotations

import pytest

from pipeline import gpus
from pipeline.config import Cluster, Recipe
from pipeline.doctor import examine
from pipeline.engines import cpu, engine_for
from pipeline.errors import MachineError
from pipeline.gpus import Need, choose
from tests.conftest import ROOT


def there(*missing: str) -> tuple[Need, ...]:
    names = ("driver", "device", "numba-cuda", "cudf", "dask-cuda", "dask-cudf")
    return tuple(Need(name, name not in missing, f"{name} is {name not in missing}", f"get {name}") for name in names)


@pytest.fixture
def lacks(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(gpus, "needs", lambda: there(*request.param))


@pytest.mark.parametrize("lacks", [("driver", "device", "cudf")], indirect=True)
def test_auto_takes_the_cpu_of_a_machine_without_a_gpu_and_says_only_that(lacks: None) -> None:
    assert choose("auto").said == "curation runs on the CPU: driver is False"
    assert choose("cpu").said == "curation runs on the CPU: the recipe says so"
    with pytest.raises(MachineError, match="driver is False; device is False; cudf is False") as raised:
        choose("cuda")
    assert "get driver; get device; get cudf; or set `device: auto`" in raised.value.mend


@pytest.mark.parametrize("lacks", [("cudf", "dask-cuda")], indirect=True)
def test_half_a_stack_is_named_with_the_command_that_completes_it(lacks: None) -> None:
    why = "cudf is False; dask-cuda is False (pip install 'curate-and-train[gpu]')"
    assert choose("auto").said == f"curation runs on the CPU: {why}"


@pytest.mark.parametrize("lacks", [()], indirect=True)
def test_auto_takes_the_gpus_where_all_is_there(lacks: None) -> None:
    assert choose("auto").device == choose("cuda").device == "cuda"
    assert choose("cpu").device == "cpu"


def test_the_probe_of_this_machine_agrees_with_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus.needs.cache_clear()
    met = {need.name: need.met for need in gpus.needs()}
    assert list(met) == ["driver", "device", "numba-cuda", "cudf", "dask-cuda", "dask-cudf"]
    assert met["driver"] or not met["device"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    gpus.needs.cache_clear()
    assert not gpus.needs()[1].met
    assert choose("auto").device == "cpu"
    assert engine_for("auto") is cpu
    gpus.needs.cache_clear()


@pytest.mark.parametrize(("chosen", "usable"), [("0,1", 2), ("1,0,7,2", 2), ("", 0), ("-1", 0), ("GPU-3fa,1", 2)])
def test_visible_devices_are_counted_as_the_driver_counts_them(
    chosen: str, usable: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nvml:
        """A driver's library with three devices."""

        nvmlInit_v2 = nvmlShutdown = staticmethod(lambda: 0)

        @staticmethod
        def nvmlDeviceGetCount_v2(count: object) -> int:
            count._obj.value = 3  # type: ignore[attr-defined]
            return 0

    monkeypatch.setattr(gpus, "_library", lambda name: Nvml)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert gpus._visible() == usable


def test_the_recipe_cannot_ask_for_both() -> None:
    source = {"name": "s", "kind": "text", "format": "text", "path": "x"}
    with pytest.raises(ValueError, match=r"cluster.kind: cuda curates on GPUs"):
        Recipe.model_validate({"run": "r", "sources": [source], "device": "cpu", "cluster": {"kind": "cuda"}})
    with pytest.raises(ValueError, match="not both"):
        Cluster(address="tcp://a:1", scheduler_file="b")
    recipe = Recipe.model_validate({"run": "r", "sources": [source], "cluster": {"kind": "cuda"}})
    assert recipe.curates_on == "cuda"


@pytest.mark.parametrize(("lacks", "state"), [(("driver", "device", "cudf"), "info"), (("cudf",), "warn")])
def test_the_doctor_names_what_is_missing(lacks: tuple[str, ...], state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline import doctor

    monkeypatch.setattr(doctor, "needs", lambda: there(*lacks))
    monkeypatch.setattr(gpus, "needs", lambda: there(*lacks))
    monkeypatch.setattr(doctor, "_torch", lambda: iter(()))
    found = {check.name: check for check in examine(ROOT)}
    for name in lacks:
        assert (found[f"GPU curation: {name}"].state, found[f"GPU curation: {name}"].mend) == (state, f"get {name}")
    assert found["GPU curation: dask-cuda"].state == "ok"
    assert "`device: auto` curates on cpu" in found["curation"].found
