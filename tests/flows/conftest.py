"""One server and one process worker for the tests here, by the README's own commands; both gone when they end.

`test_stopped` stops the worker, so it comes last; a worker of pytest-xdist gets all files together (`tests.conftest`).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.flows.site import PrefectSite, free_port

_SECTION = re.compile(r"^## On a schedule, under Prefect\n.*?```bash\n(.*?)```", flags=re.S | re.M)


def documented() -> list[list[str]]:
    """The README's commands for running under Prefect, word by word."""
    found = _SECTION.search((ROOT / "README.md").read_text())
    assert found is not None
    lines = [shlex.split(line, comments=True) for line in found[1].splitlines()]
    return [words for words in lines if words[0] != "export"]


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectSite]:
    """A server, what it needs, the deployments of `prefect.yaml`, a worker; the last command, a run, is a test's."""
    port = free_port()
    here = PrefectSite(home=tmp_path_factory.mktemp("prefect"), port=port)
    try:
        for words in documented()[:-1]:
            if words[1:3] == ["server", "start"]:
                here.start("server", *words, "--host", "127.0.0.1", "--port", str(port))
                here.wait_until_healthy()
            elif "flows.gently" in words:
                here.start("worker", *words)
            else:
                done = here.run(*words)
                assert done.returncode == 0, done.stdout
        yield here
    finally:
        here.stop()
