{{- define "telegen.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* The release's name, if it contains that of the chart. */ -}}
{{- define "telegen.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $both := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- default $both .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* Headless Service of a StatefulSet. A name of its own: no upgrade can make the Service of another mode headless. */ -}}
{{- define "telegen.shardsName" -}}
{{- include "telegen.fullname" . }}-shards
{{- end -}}

{{- define "telegen.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- /* Namespace of the Leases. */ -}}
{{- define "telegen.leasesNamespace" -}}
{{- $given := dig "kube_metrics" "election" "namespace" "" .Values.config -}}
{{- $given | replace "${POD_NAMESPACE}" "" | default (include "telegen.namespace" .) -}}
{{- end -}}

{{- /* Selectors cannot be changed later: no version here. */ -}}
{{- define "telegen.selectorLabels" -}}
app.kubernetes.io/name: {{ include "telegen.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "telegen.ownLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "telegen.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: telegen
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- /* Each key once: the same key twice is an error of kubectl. */ -}}
{{- define "telegen.labels" -}}
{{- mustMergeOverwrite (include "telegen.ownLabels" . | fromYaml) .Values.commonLabels | toYaml -}}
{{- end -}}

{{- /* These labels and `labels` of one object. */ -}}
{{- define "telegen.labelsWith" -}}
{{- mustMergeOverwrite (include "telegen.labels" .root | fromYaml) .labels | toYaml -}}
{{- end -}}

{{- /* The label `app` is the one that scrape configurations select. */ -}}
{{- define "telegen.podLabels" -}}
app: telegen
{{ include "telegen.selectorLabels" . }}
{{- if ne .Values.mode "daemonset" }}
app.kubernetes.io/component: cluster
{{- end }}
{{- with include "telegen.pollingAdapter" . }}
telegen.io/agents: {{ . | quote }}
{{- end }}
{{- with .Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "telegen.account" -}}
{{- default (.Values.serviceAccount.create | ternary (include "telegen.fullname" .) "default") .Values.serviceAccount.name -}}
{{- end -}}

{{- define "telegen.subjects" -}}
- kind: ServiceAccount
  name: {{ include "telegen.account" . | quote }}
  namespace: {{ include "telegen.namespace" . | quote }}
{{- end -}}

{{- define "telegen.image" -}}
{{- $image := .Values.image -}}
{{- $registry := default $image.registry .Values.global.imageRegistry -}}
{{- with $registry }}{{ . }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default .Chart.AppVersion $image.tag }}{{ end -}}
{{- end -}}

{{- define "telegen.imagePullSecrets" -}}
{{- range concat .Values.global.imagePullSecrets .Values.imagePullSecrets }}
- name: {{ kindIs "string" . | ternary . (dig "name" "" (kindIs "map" . | ternary . dict)) | quote }}
{{- end }}
{{- end -}}

{{- /* True for a real cluster, and where the API versions of one are given: `helm template` alone knows no aggregated API. */ -}}
{{- define "telegen.isLive" -}}
{{- if .Capabilities.APIVersions.Has "apiregistration.k8s.io/v1" }}true{{ end -}}
{{- end -}}
