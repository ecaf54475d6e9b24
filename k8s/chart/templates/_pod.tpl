{{- /* The pod template of every mode. */ -}}
{{- define "telegen.pod" -}}
{{- $facts := include "telegen.facts" . | fromYaml -}}
metadata:
  labels:
    {{- include "telegen.podLabels" . | nindent 4 }}
  {{- with .Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "telegen.account" . | quote }}
  automountServiceAccountToken: true
  enableServiceLinks: false
  {{- with include "telegen.imagePullSecrets" . }}
  imagePullSecrets:
    {{- . | nindent 4 }}
  {{- end }}
  {{- /* Every node has containers to measure, also a node that is tainted, not ready or full. */}}
  priorityClassName: {{ default (eq .Values.mode "daemonset" | ternary "system-node-critical" "system-cluster-critical") .Values.priorityClassName | quote }}
  {{- with include "telegen.tolerations" . | fromYamlArray }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "telegen.affinity" . }}
  affinity:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with include "telegen.spread" . }}
  topologySpreadConstraints:
    {{- . | nindent 4 }}
  {{- end }}
  {{- if $facts.readsHost }}
  {{- /* The host's processes: network counters, descriptors and threads are read in /proc/PID. */}}
  hostPID: true
  {{- end }}
  {{- if .Values.hostNetwork }}
  hostNetwork: true
  {{- end }}
  {{- with .Values.dnsPolicy }}
  dnsPolicy: {{ . }}
  {{- end }}
  {{- with .Values.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with include "telegen.podSecurityContext" . | fromYaml }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - {{ include "telegen.container" (dict "root" . "facts" $facts) | nindent 6 | trim }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "telegen.volumes" (dict "root" . "facts" $facts) | nindent 4 }}
{{- end -}}

{{- define "telegen.tolerations" -}}
{{- if not (kindIs "invalid" .Values.tolerations) -}}
{{- toYaml .Values.tolerations -}}
{{- else -}}
{{- eq .Values.mode "daemonset" | ternary (list (dict "operator" "Exists")) list | toYaml -}}
{{- end -}}
{{- end -}}

{{- define "telegen.affinity" -}}
{{- $facts := include "telegen.facts" . | fromYaml -}}
{{- if .Values.affinity -}}
{{- toYaml .Values.affinity -}}
{{- else if and (eq .Values.mode "standalone") $facts.usesLeases -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "telegen.selectorLabels" . | nindent 12 }}
{{- end -}}
{{- end -}}

{{- define "telegen.spread" -}}
{{- if .Values.topologySpreadConstraints -}}
{{- toYaml .Values.topologySpreadConstraints -}}
{{- else if and (eq .Values.mode "shards") (kindIs "invalid" .Values.topologySpreadConstraints) -}}
{{- /* On different nodes where possible: the loss of a node then interrupts one shard. */ -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "telegen.selectorLabels" . | nindent 6 }}
{{- end -}}
{{- end -}}

{{- /* Three presets: privileged, hardened, and without access to the node; the last two need no privileges. */ -}}
{{- define "telegen.isPrivileged" -}}
{{- if and (include "telegen.facts" . | fromYaml).readsHost (not .Values.hardened) }}true{{ end -}}
{{- end -}}

{{- define "telegen.podSecurityContext" -}}
{{- $preset := dict -}}
{{- if not (include "telegen.isPrivileged" .) -}}
{{- $preset = dict "runAsNonRoot" true "runAsUser" 65532 "runAsGroup" 65532 "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- end -}}
{{- mustMergeOverwrite $preset (mustDeepCopy .Values.podSecurityContext) | toYaml -}}
{{- end -}}

{{- define "telegen.securityContext" -}}
{{- $preset := dict "readOnlyRootFilesystem" true -}}
{{- if include "telegen.isPrivileged" . -}}
{{- $preset = merge $preset (dict "privileged" true "runAsUser" 0 "runAsGroup" 0) -}}
{{- else -}}
{{- $preset = merge $preset (dict "allowPrivilegeEscalation" false "capabilities" (dict "drop" (list "ALL"))) -}}
{{- end -}}
{{- if and (eq .Values.mode "daemonset") (not $preset.privileged) -}}
{{- $preset = set $preset "privileged" false -}}
{{- end -}}
{{- mustMergeOverwrite $preset (mustDeepCopy .Values.securityContext) | toYaml -}}
{{- end -}}

{{- define "telegen.resources" -}}
{{- if .Values.resources -}}
{{- toYaml .Values.resources -}}
{{- else -}}
requests: {cpu: {{ eq .Values.mode "daemonset" | ternary "50m" "100m" }}, memory: {{ eq .Values.mode "daemonset" | ternary "150Mi" "200Mi" }}, ephemeral-storage: 16Mi}
{{- /* CPU is not limited: throttling would only make scrapes late. */}}
limits: {memory: 1Gi, ephemeral-storage: 256Mi}
{{- end -}}
{{- end -}}

{{- /* The agent's container. */ -}}
{{- define "telegen.container" -}}
{{- $facts := .facts -}}
{{- with .root -}}
name: telegen
image: {{ include "telegen.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - --config
  - /etc/telegen/telegen.yaml
  {{- with .Values.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with include "telegen.environment" (dict "root" . "facts" $facts) | fromYamlArray }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: metrics
    containerPort: {{ $facts.port }}
  {{- with $facts.probePort }}
  - name: probes
    containerPort: {{ . }}
  {{- end }}
  {{- if include "telegen.pollingAdapter" $.root }}
  - name: adapter
    containerPort: 9444
  {{- end }}
{{- $port := empty $facts.probePort | ternary "metrics" "probes" }}
{{- $defaults := dict
  "startupProbe" (dict "path" "/livez" "periodSeconds" 2 "failureThreshold" 60)
  "livenessProbe" (dict "path" "/livez" "periodSeconds" 10 "timeoutSeconds" 5 "failureThreshold" 6)
  "readinessProbe" (dict "path" "/readyz" "periodSeconds" 5 "timeoutSeconds" 5) }}
{{- range $name, $probe := $defaults }}
{{ $name }}:
  {{- $default := merge (omit $probe "path") (dict "httpGet" (dict "path" $probe.path "port" $port)) }}
  {{- mustMergeOverwrite $default (mustDeepCopy (get $.root.Values $name)) | toYaml | nindent 2 }}
{{- end }}
resources:
  {{- include "telegen.resources" . | nindent 2 }}
securityContext:
  {{- include "telegen.securityContext" . | nindent 2 }}
volumeMounts:
  - name: config
    mountPath: /etc/telegen
    readOnly: true
  {{- if $facts.readsHost }}
  {{- $cadvisor := (include "telegen.config" . | fromYaml).kube_metrics.cadvisor }}
  - name: sys-fs-cgroup
    mountPath: {{ dig "cgroup_root" "/sys/fs/cgroup" $cadvisor | quote }}
    readOnly: true
  {{- /* The runtimes' files with the names of containers, and the file systems whose size and usage are measured. */}}
  - name: root
    mountPath: {{ dig "root" "/host" $cadvisor | quote }}
    mountPropagation: HostToContainer
    readOnly: true
  {{- end }}
  - name: tmp
    mountPath: /tmp
  {{- if include "telegen.pollingAdapter" . }}
  - name: adapter
    mountPath: /etc/telegen-adapter
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{- define "telegen.environment" -}}
{{- $fields := dict -}}
{{- if .facts.isNode -}}
{{- $fields = dict "NODE_NAME" "spec.nodeName" -}}
{{- end -}}
{{- if or .facts.isNode (eq .root.Values.mode "shards") -}}
{{- $fields = merge $fields (dict "POD_NAME" "metadata.name" "POD_NAMESPACE" "metadata.namespace") -}}
{{- end -}}
{{- range $name, $path := $fields }}
- name: {{ $name | quote }}
  valueFrom: {fieldRef: {fieldPath: {{ $path }}}}
{{- end }}
{{- if include "telegen.pollingAdapter" .root }}
- {name: TELEGEN_ADAPTER__AGENT_ADDRESS, value: ":9444"}
- {name: TELEGEN_ADAPTER__AGENT_TLS_DIR, value: /etc/telegen-adapter}
{{- end }}
{{- with .root.Values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "telegen.volumes" -}}
- name: config
  configMap: {name: {{ include "telegen.fullname" .root | quote }}}
{{- if .facts.readsHost }}
- name: sys-fs-cgroup
  hostPath: {path: /sys/fs/cgroup, type: Directory}
- name: root
  hostPath: {path: /, type: Directory}
{{- end }}
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 64Mi}
{{- with include "telegen.pollingAdapter" .root }}
- name: adapter
  {{- /* The adapter makes it; until then agents serve all else. */}}
  projected:
    sources:
      - secret: {name: {{ . }}-agents, optional: true}
{{- end }}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
