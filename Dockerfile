# Two stages: the wheel and its dependencies are built in one and installed in the other.
FROM python:3.13-slim AS build
WORKDIR /src
COPY setup.cfg setup.py README.md requirements.lock ./
COPY telegen telegen
COPY workers workers
RUN python -m venv /opt/telegen \
 && /opt/telegen/bin/pip install --no-cache-dir -r requirements.lock \
 && /opt/telegen/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
COPY --from=build /opt/telegen /opt/telegen
ENV PATH=/opt/telegen/bin:$PATH PYTHONUNBUFFERED=1
EXPOSE 9443
ENTRYPOINT ["python", "-m", "telegen.supervisor"]
