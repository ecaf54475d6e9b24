# Two stages: the wheel is built and installed with the exact versions of requirements.lock in one; the other has the
# result, and neither pip's files nor a compiler.
FROM python:3.13-slim AS build
WORKDIR /src
COPY setup.cfg setup.py README.md requirements.lock ./
COPY telegen telegen
COPY workers workers
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /dist .
# The lock file is a constraint: what only developers need is in it as well, and is not installed.
RUN python -m venv --without-pip /opt/telegen \
 && python -m pip --python /opt/telegen/bin/python install --no-cache-dir --constraint requirements.lock "$(echo /dist/*.whl)[adapter,cel,completion,grpc,top]"
# The bill of materials, by a tool that only this stage has.
RUN python -m venv /opt/sbom \
 && python -m pip --python /opt/sbom/bin/python install --no-cache-dir cyclonedx-bom==7.5.0 \
 && /opt/sbom/bin/cyclonedx-py environment --output-reproducible --output-file /opt/telegen/sbom.cdx.json /opt/telegen/bin/python

FROM python:3.13-slim
LABEL org.opencontainers.image.title="telegen" \
      org.opencontainers.image.description="Kubernetes state and container metrics from one agent" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/telegen /opt/telegen
ENV PATH=/opt/telegen/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
EXPOSE 9443
# An account without rights. The DaemonSet of k8s/ runs the image as root, because the files of a node belong to root.
USER 65532:65532
ENTRYPOINT ["python", "-m", "telegen.supervisor"]
