"""`containers/compose.yaml` with its variables put in, as Docker would, and its services as processes on loopback."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.conftest import ROOT

__all__ = ["Unset", "example", "loopback", "read"]

FILE = ROOT / "containers" / "compose.yaml"
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


class Unset(Exception):
    """A variable without which the file refuses to start."""


def read(variables: Mapping[str, str]) -> dict[str, Any]:
    """The file, with `${NAME}`, `${NAME:-default}` and `${NAME:?message}` replaced."""

    def value(found: re.Match[str]) -> str:
        name, kind, rest = found[1], found[2], found[3]
        if variables.get(name):
            return variables[name]
        if kind == "?":
            raise Unset(f"{name}: {rest}")
        return rest if kind == "-" else ""

    def resolve(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: resolve(inner) for key, inner in part.items()}
        if isinstance(part, list):
            return [resolve(inner) for inner in part]
        return _VARIABLE.sub(value, part) if isinstance(part, str) else part

    return dict(resolve(yaml.safe_load(FILE.read_text())))


def example() -> dict[str, str]:
    """The variables of `.env.example`."""
    lines = (ROOT / "containers" / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def loopback(text: str, ports: Mapping[str, tuple[str, int]]) -> str:
    """A command or an address with each service's name and port replaced by those of its process.

    Args:
        text: as it stands in the file.
        ports: service → its port in the file, and that of its process.
    """
    for service, (port, mine) in ports.items():
        text = text.replace(f"{service}:{port}", f"127.0.0.1:{mine}")
    return text.replace("0.0.0.0", "127.0.0.1")
