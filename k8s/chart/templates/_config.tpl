{{- /* The agent's configuration, as YAML: that of the mode, with the user's settings over it. */ -}}
{{- define "telegen.config" -}}
{{- $text := .Files.Get (printf "files/config/%s.yaml" .Values.mode) -}}
{{- $config := required "mode: choose daemonset, standalone or shards" $text | fromYaml -}}
{{- $config = mustMergeOverwrite $config (mustDeepCopy .Values.config) -}}
{{- if not .Values.rbac.useClusterRole -}}
{{- /* A Role cannot give rights on resources of the cluster. */ -}}
{{- $state := dig "kube_metrics" "kube_state" dict $config -}}
{{- $excluded := dig "resources_exclude" list $state -}}
{{- range $name, $resource := (.Files.Get "files/rights.yaml" | fromYaml).resources -}}
{{- if and $resource.default (not $resource.namespaced) (not (has $name (dig "resources" list $state))) -}}
{{- $excluded = append $excluded $name -}}
{{- end -}}
{{- end -}}
{{- $_ := set $state "resources_exclude" ($excluded | uniq) -}}
{{- $_ := set $config.kube_metrics "kube_state" $state -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- /* Facts that follow from the configuration, as YAML. */ -}}
{{- define "telegen.facts" -}}
{{- $config := include "telegen.config" . | fromYaml -}}
{{- $kube := $config.kube_metrics -}}
{{- $detects := and (dig "auto_detect" true $kube) (dig "kubernetes" "enable" true $config) -}}
{{- $enabled := dig "enabled" nil $kube -}}
{{- $reads := and (dig "kube_state" "enabled" true $kube) (kindIs "bool" $enabled | ternary $enabled $detects) -}}
{{- $isNode := or (eq .Values.mode "daemonset") (eq (dig "scope" "auto" $kube) "node") -}}
{{- $isCandidate := dig "election" "candidate" true $kube -}}
{{- $watches := and $reads (or $isCandidate (not $isNode)) -}}
readsApi: {{ $reads }}
watches: {{ $watches }}
isNode: {{ $isNode }}
usesLeases: {{ and $isNode $watches }}
readsHost: {{ and (eq .Values.mode "daemonset") (dig "cadvisor" "enabled" true $kube) (ne (toString $enabled) "false") }}
port: {{ dig "listen_address" ":9443" $kube | toString | regexFind "[0-9]+$" }}
{{- with dig "telemetry_address" "" $kube }}
probePort: {{ toString . | regexFind "[0-9]+$" }}
{{- end }}
path: {{ dig "metrics_path" "/metrics" $kube | trimSuffix "/" | quote }}
{{- end -}}
