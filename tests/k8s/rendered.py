"""Access to parts of rendered manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from telegen.supervisor.run_options import parser
from tests.cluster.kubectl import Object

FIELDS = {"spec.nodeName": "node-1", "metadata.name": "telegen-0", "metadata.namespace": "telegen"}
"""Values of the downward API for a pod."""


def workload(objs: list[Object]) -> Object:
    """Return the only object with a pod template."""
    found = [obj for obj in objs if "template" in obj.get("spec", {})]
    assert len(found) == 1
    return found[0]


def pod_spec(objs: list[Object]) -> Any:
    """Return the pod spec of that object."""
    return workload(objs)["spec"]["template"]["spec"]


def container(objs: list[Object]) -> Any:
    """Return the agent's container of that pod."""
    (agent,) = [one for one in pod_spec(objs)["containers"] if one["name"] == "telegen"]
    return agent


def config_text(objs: list[Object]) -> str:
    """Return the file that `--config` names, from the ConfigMap mounted there."""
    path = Path(parser().parse_args(container(objs)["args"]).config)
    mount = next(mount for mount in container(objs)["volumeMounts"] if mount["mountPath"] == str(path.parent))
    volume = next(volume for volume in pod_spec(objs)["volumes"] if volume["name"] == mount["name"])
    name = volume["configMap"]["name"]
    data = next(obj["data"] for obj in objs if obj["kind"] == "ConfigMap" and obj["metadata"]["name"] == name)
    return str(data[path.name])


def environment(objs: list[Object]) -> dict[str, str]:
    """Return the container's environment, with the values of `FIELDS`."""
    given = container(objs).get("env", ())
    return {item["name"]: item["value"] if "value" in item else FIELDS[item["valueFrom"]["fieldRef"]["fieldPath"]] for item in given}
