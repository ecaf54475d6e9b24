"""Flux: sources, releases and notifications, with the family of its example of a configuration of kube-state-metrics.

`webhook_path` of a Receiver is a part of a URL that works like a password. The example shows it, so dashboards use it.
"""

from __future__ import annotations

from collections.abc import Mapping

from telegen.kubestate.packs.described import Describing
from telegen.kubestate.packs.pack import Pack, PackResource
from telegen.kubestate.packs.specs import Path, kind

READY: dict[str, Path] = {"ready": ("status", "conditions", "[type=Ready]", "status")}
SOURCE: dict[str, Path] = {**READY, "revision": "status.artifact.revision", "url": "spec.url"}

Labels = Mapping[str, Path]


def _kind(api_version: str, name: str, plural: str, labels: Labels = {}, older: tuple[str, ...] = ("v1beta2",)) -> PackResource:
    of = Describing("gotk", {"exported_namespace": "metadata.namespace", "suspended": "spec.suspend", **labels})
    family = of.info("resource_info", "State of a resource of Flux", name="metadata.name")
    group, _, version = api_version.partition("/")
    return kind(
        f"gotk_{name.lower()}", f"{group}.toolkit.fluxcd.io/{version}", plural, name,
        namespace="exported_namespace", label="name", older=older, described=(family,),
    )


KUSTOMIZATION: Labels = {**READY, "revision": "status.lastAppliedRevision", "source_name": "spec.sourceRef.name"}
RELEASE: Labels = {
    **READY,
    "revision": "status.history.0.chartVersion",
    "chart_name": "status.history.0.chartName",
    "chart_app_version": "status.history.0.appVersion",
    "chart_ref_name": "spec.chartRef.name",
    "chart_source_name": "spec.chart.spec.sourceRef.name",
}
CHART: Labels = {**READY, "chart_name": "spec.chart", "chart_version": "spec.version"}

PACK = Pack(
    "flux",
    "Resources of Flux, with the family of its example of a configuration of kube-state-metrics.",
    (
        _kind("kustomize/v1", "Kustomization", "kustomizations", KUSTOMIZATION, ("v1beta2", "v1beta1")),
        _kind("helm/v2", "HelmRelease", "helmreleases", RELEASE, ("v2beta2", "v2beta1")),
        _kind("source/v1", "GitRepository", "gitrepositories", SOURCE),
        _kind("source/v1", "HelmRepository", "helmrepositories", SOURCE),
        _kind("source/v1", "OCIRepository", "ocirepositories", SOURCE),
        _kind("source/v1", "Bucket", "buckets", {**READY, "endpoint": "spec.endpoint", "bucket_name": "spec.bucketName"}),
        _kind("source/v1", "HelmChart", "helmcharts", CHART),
        _kind("notification/v1beta3", "Alert", "alerts"),
        _kind("notification/v1beta3", "Provider", "providers"),
        _kind("notification/v1", "Receiver", "receivers", {**READY, "webhook_path": "status.webhookPath"}),
        _kind("image/v1", "ImageRepository", "imagerepositories", {**READY, "image": "spec.image"}),
        _kind("image/v1", "ImagePolicy", "imagepolicies", {**READY, "source_name": "spec.imageRepositoryRef.name"}),
        _kind(
            "image/v1", "ImageUpdateAutomation", "imageupdateautomations", {**READY, "source_name": "spec.sourceRef.name"},
            ("v1beta2", "v1beta1"),
        ),
    ),
)
