"""Where things are in rendered manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from telegen.supervisor.run_options import parser
from tests.cluster.kubectl import Object

FIELDS = {"spec.nodeName": "node-1", "metadata.name": "telegen-0", "metadata.namespace": "telegen"}
"""What the downward API gives a pod."""


def workload(objs: list[Object]) -> Object:
    """The one object that makes pods."""
    found = [obj for obj in objs if "template" in obj.get("spec", {})]
    assert len(found) == 1
    return found[0]


def pod_spec(objs: list[Object]) -> Any:
    """The pod of that object."""
    return workload(objs)["spec"]["template"]["spec"]


def container(objs: list[Object]) -> Any:
    """Its only container."""
    (only,) = pod_spec(objs)["containers"]
    return only


def config_text(objs: list[Object]) -> str:
    """The file that `--config` names, taken from the ConfigMap that is mounted there."""
    path = Path(parser().parse_args(container(objs)["args"]).config)
    mount = next(mount for mount in container(objs)["volumeMounts"] if mount["mountPath"] == str(path.parent))
    volume = next(volume for volume in pod_spec(objs)["volumes"] if volume["name"] == mount["name"])
    name = volume["configMap"]["name"]
    data = next(obj["data"] for obj in objs if obj["kind"] == "ConfigMap" and obj["metadata"]["name"] == name)
    return str(data[path.name])


def environment(objs: list[Object]) -> dict[str, str]:
    """The container's environment."""
    given = container(objs).get("env", ())
    return {item["name"]: FIELDS[item["valueFrom"]["fieldRef"]["fieldPath"]] for item in given}
