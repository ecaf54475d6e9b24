{{- /* Expressions of rules, with the adapter's name of this release. */ -}}
{{- define "telegen.expression" -}}
{{- .text | replace "deployment=\"telegen-adapter\"" (printf "deployment=%q" (include "telegen.adapterName" .root)) -}}
{{- end -}}

{{- /* Endpoints of the monitor: those of files/monitor, with the user's relabelings after them. */ -}}
{{- define "telegen.endpoints" -}}
{{- $monitor := .Values.prometheus.monitor -}}
{{- $facts := include "telegen.facts" . | fromYaml -}}
{{- $shared := dict -}}
{{- range $key := list "tlsConfig" "authorization" "basicAuth" -}}
{{- with get $monitor $key -}}{{- $_ := set $shared $key . -}}{{- end -}}
{{- end -}}
{{- if ne $monitor.scheme "http" -}}{{- $_ := set $shared "scheme" $monitor.scheme -}}{{- end -}}
{{- $endpoints := list -}}
{{- range .Files.Get "files/monitor/endpoints.yaml" | fromYamlArray -}}
{{- $name := base .path -}}
{{- $own := get $monitor $name -}}
{{- if $own.enabled -}}
{{- $endpoint := merge (omit . "path") $shared (dict "path" .path) -}}
{{- if ne $name "telemetry" -}}
{{- $_ := set $endpoint "path" (printf "%s/%s" $facts.path $name) -}}
{{- end -}}
{{- if eq $monitor.kind "ServiceMonitor" -}}
{{- /* The operator adds the Service's name to its targets; series of objects have none or their own. */ -}}
{{- $service := dict "action" "labeldrop" "regex" "service" -}}
{{- $_ := set $endpoint "relabelings" (concat (list $service) (dig "relabelings" list $endpoint)) -}}
{{- end -}}
{{- $relabelings := concat (dig "relabelings" list $endpoint) $own.relabelings -}}
{{- with $relabelings -}}{{- $_ := set $endpoint "relabelings" . -}}{{- end -}}
{{- $drops := and $monitor.dropAsKubePrometheusStack (eq $name "cadvisor") | ternary ($.Files.Get "files/monitor/drops.yaml" | fromYamlArray) list -}}
{{- with concat (dig "metricRelabelings" list $endpoint) $drops $own.metricRelabelings -}}{{- $_ := set $endpoint "metricRelabelings" . -}}{{- end -}}
{{- range $key := list "interval" "scrapeTimeout" -}}
{{- with get $own $key -}}{{- $_ := set $endpoint $key . -}}{{- end -}}
{{- end -}}
{{- $endpoints = append $endpoints $endpoint -}}
{{- end -}}
{{- end -}}
{{- toYaml $endpoints -}}
{{- end -}}
