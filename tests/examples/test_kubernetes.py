"""The manifests hold to the schemas of Kubernetes, and fit each other, the image and the deployments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.conftest import ROOT

FOLDER = ROOT / "examples" / "kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))


def objects() -> list[dict[str, Any]]:
    return [one for file in FILES for one in yaml.safe_load_all(file.read_text())]


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in objects() if one["kind"] == kind]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_the_manifests_hold_to_the_schemas(file: Path) -> None:
    """Strictly: a key that Kubernetes does not know is an error. Of Dask's own kind, the pods and the service in it."""
    for one in yaml.safe_load_all(file.read_text()):
        for plain in plain_kinds(one):
            kubernetes_validate.validate(plain, "1.30", strict=True)


def test_an_unknown_key_is_an_error() -> None:
    worker = of_kind("Deployment")[0]
    worker["spec"]["template"]["spec"]["containers"][0]["imagine"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(worker, "1.30", strict=True)


def plain_kinds(one: dict[str, Any]) -> list[dict[str, Any]]:
    """The object itself, or a pod for each group of a Dask cluster and its scheduler's service."""
    if one["kind"] != "DaskCluster":
        return [one]
    assert one["apiVersion"] == "kubernetes.dask.org/v1"
    assert one["spec"].keys() == {"idleTimeout", "worker", "scheduler"}
    assert one["spec"]["worker"].keys() == {"replicas", "spec"}
    assert one["spec"]["scheduler"].keys() == {"spec", "service"}
    groups = [one["spec"]["worker"]["spec"], one["spec"]["scheduler"]["spec"]]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": one["metadata"]}
    return [
        *({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": pod} for pod in groups),
        service | {"spec": one["spec"]["scheduler"]["service"]},
    ]


def test_claims_images_and_selectors_fit() -> None:
    claims = {claim["metadata"]["name"] for claim in of_kind("PersistentVolumeClaim")}
    cluster, worker = of_kind("DaskCluster")[0], of_kind("Deployment")[0]
    pods = [cluster["spec"]["worker"]["spec"], cluster["spec"]["scheduler"]["spec"], worker["spec"]["template"]["spec"]]
    for pod in pods:
        assert {volume["persistentVolumeClaim"]["claimName"] for volume in claimed(pod)} <= claims
        for container in pod["containers"]:
            assert container["image"] in ("curate-and-train:cpu", "curate-and-train:gpu")
            mounted = {mount["name"] for mount in container.get("volumeMounts", ())}
            assert mounted == {volume["name"] for volume in pod.get("volumes", ())}
    assert worker["spec"]["selector"]["matchLabels"] == worker["spec"]["template"]["metadata"]["labels"]
    selector = cluster["spec"]["scheduler"]["service"]["selector"]
    assert selector == {"dask.org/cluster-name": cluster["metadata"]["name"], "dask.org/component": "scheduler"}
    spaces = {one["metadata"]["namespace"] for one in objects() if one["kind"] != "Namespace"}
    assert spaces == {of_kind("Namespace")[0]["metadata"]["name"]}


def test_the_worker_serves_a_pool_of_prefect_yaml_and_holds_no_secret() -> None:
    worker = of_kind("Deployment")[0]["spec"]["template"]["spec"]
    words = worker["containers"][0]["args"]
    pool = yaml.safe_load((ROOT / "prefect.yaml").read_text())["definitions"]["local"]["name"]
    assert words[words.index("--pool") + 1] == pool
    assert worker["containers"][0]["envFrom"] == [{"secretRef": {"name": "prefect"}}]
    assert of_kind("Secret") == []


def claimed(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [volume for volume in pod.get("volumes", ()) if "persistentVolumeClaim" in volume]
