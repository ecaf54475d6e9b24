{{- /* Name of the adapter's objects; its Secrets have names that begin with it. */ -}}
{{- define "telegen.adapterName" -}}
{{- printf "%s-adapter" (include "telegen.fullname" . | trunc 55 | trimSuffix "-") -}}
{{- end -}}

{{- /* Headless Service of the agents. */ -}}
{{- define "telegen.agentsName" -}}
{{- printf "%s-agents" (include "telegen.fullname" . | trunc 56 | trimSuffix "-") -}}
{{- end -}}

{{- /* Name of the adapter that polls the agents of this release, if any. */ -}}
{{- define "telegen.pollingAdapter" -}}
{{- if and .Values.adapter.enabled (eq .Values.mode "daemonset") -}}
{{- include "telegen.adapterName" . -}}
{{- else -}}
{{- .Values.adapter.existing -}}
{{- end -}}
{{- end -}}

{{- /* Selects the agents of all releases that the adapter polls. */ -}}
{{- define "telegen.polledLabels" -}}
telegen.io/agents: {{ include "telegen.adapterName" . | quote }}
{{- end -}}

{{- define "telegen.adapterSelectorLabels" -}}
app.kubernetes.io/name: {{ include "telegen.name" . | trunc 55 | trimSuffix "-" }}-adapter
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "telegen.adapterLabels" -}}
{{- mustMergeOverwrite (include "telegen.labels" . | fromYaml) (include "telegen.adapterSelectorLabels" . | fromYaml) | toYaml -}}
{{- end -}}

{{- define "telegen.adapterSubjects" -}}
- kind: ServiceAccount
  name: {{ include "telegen.adapterName" . | quote }}
  namespace: {{ include "telegen.namespace" . | quote }}
{{- end -}}

{{- /* The adapter's configuration, as YAML. */ -}}
{{- define "telegen.adapterConfig" -}}
{{- $agents := include "telegen.pollingAdapter" . | empty | ternary "" (include "telegen.agentsName" .) -}}
{{- $names := dict "service" (include "telegen.adapterName" .) "agents_service" $agents "groups" .Values.adapter.groups -}}
{{- if .Values.adapter.rules -}}{{- $_ := set $names "rules_file" "/etc/telegen/rules.yaml" -}}{{- end -}}
{{- $config := mustMergeOverwrite (.Files.Get "files/config/adapter.yaml" | fromYaml) (dict "adapter" $names) -}}
{{- mustMergeOverwrite $config (mustDeepCopy .Values.adapter.config) | toYaml -}}
{{- end -}}

{{- /* Ports by the setting that they follow. */ -}}
{{- define "telegen.adapterPorts" -}}
{{- $config := (include "telegen.adapterConfig" . | fromYaml).adapter -}}
listen_address: {{ $config.listen_address | toString | regexFind "[0-9]+$" }}
telemetry_address: {{ $config.telemetry_address | toString | regexFind "[0-9]+$" }}
{{- end -}}

{{- define "telegen.adapterAffinity" -}}
{{- if .Values.adapter.affinity -}}
{{- toYaml .Values.adapter.affinity -}}
{{- else -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "telegen.adapterSelectorLabels" . | nindent 12 }}
{{- end -}}
{{- end -}}

{{- define "telegen.adapterContainer" -}}
{{- $ports := include "telegen.adapterPorts" . | fromYaml -}}
name: adapter
image: {{ include "telegen.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [python, -m, telegen, adapter]
args: [--config, /etc/telegen/telegen.yaml]
env:
  - name: POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  - name: POD_NAMESPACE
    valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
  {{- with .Values.adapter.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  {{- /* Firewalls between control planes and nodes open 10250. */}}
  - name: https
    containerPort: {{ $ports.listen_address }}
  - name: metrics
    containerPort: {{ $ports.telemetry_address }}
startupProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 2
  timeoutSeconds: 5
resources:
  {{- if .Values.adapter.resources }}
  {{- toYaml .Values.adapter.resources | nindent 2 }}
  {{- else }}
  requests: {cpu: 50m, memory: 150Mi, ephemeral-storage: 16Mi}
  limits: {memory: 1Gi, ephemeral-storage: 256Mi}
  {{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - name: config
    mountPath: /etc/telegen
    readOnly: true
  - name: tmp
    mountPath: /tmp
  {{- with .Values.adapter.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
