"""Access to parts of rendered manifests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from telegen.supervisor.run_options import parser
from tests.cluster.kubectl import Object

FIELDS = {"spec.nodeName": "node-1", "metadata.name": "telegen-0", "metadata.namespace": "telegen"}
"""Values of the downward API for a pod."""
AGENT, ADAPTER = "telegen", "adapter"
"""Names of the containers: each is in the pods of one workload."""


def workload(objs: list[Object], name: str = AGENT) -> Object:
    """Return the only object whose pod template has this container."""
    found = [obj for obj in objs if any(one["name"] == name for one in _containers(obj))]
    assert len(found) == 1
    return found[0]


def _containers(obj: Object) -> Any:
    return obj["spec"]["template"]["spec"]["containers"] if "template" in obj.get("spec", {}) else ()


def pod_spec(objs: list[Object], name: str = AGENT) -> Any:
    """Return the pod spec of that object."""
    return workload(objs, name)["spec"]["template"]["spec"]


def container(objs: list[Object], name: str = AGENT) -> Any:
    """Return that container."""
    (found,) = [one for one in pod_spec(objs, name)["containers"] if one["name"] == name]
    return found


def config_text(objs: list[Object], name: str = AGENT) -> str:
    """Return the file that `--config` names, from the ConfigMap mounted there."""
    path = Path(parser().parse_args(container(objs, name)["args"]).config)
    mount = next(mount for mount in container(objs, name)["volumeMounts"] if mount["mountPath"] == str(path.parent))
    volume = next(volume for volume in pod_spec(objs, name)["volumes"] if volume["name"] == mount["name"])
    config_map = volume["configMap"]["name"]
    data = next(obj["data"] for obj in objs if obj["kind"] == "ConfigMap" and obj["metadata"]["name"] == config_map)
    return str(data[path.name])


def environment(objs: list[Object], name: str = AGENT) -> dict[str, str]:
    """Return the container's environment, with the values of `FIELDS`; a variable may use those before it, as `$(NAME)`."""
    found = dict[str, str]()
    for item in container(objs, name).get("env", ()):
        text = item["value"] if "value" in item else FIELDS[item["valueFrom"]["fieldRef"]["fieldPath"]]
        found[item["name"]] = re.sub(r"\$\((\w+)\)", lambda match: found.get(match[1], match[0]), text)
    return found
