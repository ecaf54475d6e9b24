{{- /* Fail on values that exclude each other, each with one line: value, reason, cure. */ -}}
{{- define "telegen.validate" -}}
{{- $config := include "telegen.config" . | fromYaml -}}
{{- $kube := $config.kube_metrics -}}
{{- $facts := include "telegen.facts" . | fromYaml -}}
{{- include "telegen.validateMode" (dict "root" . "kube" $kube "facts" $facts) -}}
{{- include "telegen.validateRights" . -}}
{{- include "telegen.validateNames" . -}}
{{- if not $facts.port -}}
{{- fail "config.kube_metrics.listen_address: the port of the pods follows it: end it with a number, set such as \":9443\"" -}}
{{- end -}}
{{- if and $kube.telemetry_address (not $facts.probePort) -}}
{{- fail "config.kube_metrics.telemetry_address: the probes follow its port: end it with a number, set such as \":8081\"" -}}
{{- end -}}
{{- $web := dig "web" dict $config -}}
{{- if and (or $web.web_config_file (eq (dig "auth" "" $web) "kubernetes")) (not $facts.probePort) -}}
{{- fail "config.web: the kubelet's probes have no credentials: set config.kube_metrics.telemetry_address to an address for them, such as \":8081\"" -}}
{{- end -}}
{{- if and (or .Values.prometheus.monitor.enabled .Values.prometheus.scrapeConfig.enabled) (not (dig "separate_endpoints" false $kube)) -}}
{{- fail "config.kube_metrics.separate_endpoints: the jobs scrape each source by itself: set it to true" -}}
{{- end -}}
{{- if .Values.prometheus.monitor.enabled -}}{{- include "telegen.validateMonitor" . -}}{{- end -}}
{{- include "telegen.validateKinds" . -}}
{{- include "telegen.validateEnd" (dict "root" . "path" "config" "config" $config) -}}
{{- if .Values.adapter.enabled -}}{{- include "telegen.validateAdapter" . -}}{{- end -}}
{{- if and .Values.adapter.existing .Values.adapter.enabled -}}
{{- fail "adapter.existing: this release runs an adapter of its own: leave it empty, or set adapter.enabled to false" -}}
{{- end -}}
{{- if and .Values.adapter.existing (not $facts.isNode) -}}
{{- fail (printf "adapter.existing: the adapter finds the pods of mode %s that serve kube_* by Leases: set config.kube_metrics.scope to node, or leave it empty" .Values.mode) -}}
{{- end -}}
{{- end -}}

{{- /* The kubelet kills pods after terminationGracePeriodSeconds. */ -}}
{{- define "telegen.validateEnd" -}}
{{- $seconds := dig "supervisor" "grace_period" "10s" .config | toString | include "telegen.seconds" | float64 -}}
{{- if ge $seconds (float64 .root.Values.terminationGracePeriodSeconds) -}}
{{- fail (printf "terminationGracePeriodSeconds: pods would be killed within %s.supervisor.grace_period: set it to more than %v" .path $seconds) -}}
{{- end -}}
{{- end -}}

{{- /* Seconds of a duration such as 1m30s. */ -}}
{{- define "telegen.seconds" -}}
{{- $seconds := 0.0 -}}
{{- $units := dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0 "w" 604800.0 "y" 31536000.0 -}}
{{- range regexFindAll "[0-9.]+(ms|[smhdwy])" . -1 -}}
{{- $unit := get $units (regexFind "[a-z]+$" .) -}}
{{- $seconds = addf $seconds (mulf (regexFind "^[0-9.]+" . | float64) $unit) -}}
{{- end -}}
{{- $seconds -}}
{{- end -}}

{{- define "telegen.validateMonitor" -}}
{{- $monitor := .Values.prometheus.monitor -}}
{{- range $name := list "kubestate" "cadvisor" "telemetry" -}}
{{- $own := get $monitor $name -}}
{{- if and $own.interval $own.scrapeTimeout (gt (include "telegen.seconds" $own.scrapeTimeout | float64) (include "telegen.seconds" $own.interval | float64)) -}}
{{- fail (printf "prometheus.monitor.%s.scrapeTimeout: the operator refuses one beyond the interval: set it to at most %s" $name $own.interval) -}}
{{- end -}}
{{- end -}}
{{- if not (include "telegen.endpoints" . | fromYamlArray) -}}
{{- fail "prometheus.monitor.enabled: kubestate, cadvisor and telemetry are all off, so nothing would be scraped: set it to false" -}}
{{- end -}}
{{- end -}}

{{- define "telegen.validateAdapter" -}}
{{- $adapter := .Values.adapter -}}
{{- if not .Values.rbac.useClusterRole -}}
{{- fail "adapter.enabled: the metrics APIs need rights in the whole cluster: set it to false, or rbac.useClusterRole to true" -}}
{{- end -}}
{{- if and $adapter.v1 (not (has "metrics.k8s.io" $adapter.groups)) -}}
{{- fail "adapter.v1: it is a version of metrics.k8s.io: add that group to adapter.groups, or set it to false" -}}
{{- end -}}
{{- if and $adapter.caBundle (hasKey $adapter.apiServiceAnnotations "cert-manager.io/inject-ca-from") -}}
{{- fail "adapter.caBundle: cert-manager sets it (adapter.apiServiceAnnotations): leave one of them empty" -}}
{{- end -}}
{{- $config := include "telegen.adapterConfig" . | fromYaml -}}
{{- include "telegen.validateEnd" (dict "root" . "path" "adapter.config" "config" $config) -}}
{{- $settings := $config.adapter -}}
{{- if and $adapter.rules (not $settings.prometheus) -}}
{{- fail "adapter.rules: they need a server to ask: set adapter.config.adapter.prometheus" -}}
{{- end -}}
{{- if and (not $adapter.rules) (not $settings.rules_file) (not $settings.agents_service) $adapter.groups -}}
{{- fail (printf "adapter.groups: mode %s has no agents with containers, so nothing can be served: set adapter.rules, or mode to daemonset" .Values.mode) -}}
{{- end -}}
{{- if and (has "metrics.k8s.io" $adapter.groups) (not $settings.agents_service) $adapter.rules (not $adapter.rules.resourceRules) -}}
{{- fail "adapter.groups: metrics.k8s.io needs agents of mode daemonset, or resourceRules in adapter.rules" -}}
{{- end -}}
{{- range $key, $port := (include "telegen.adapterPorts" . | fromYaml) -}}
{{- if not $port -}}
{{- fail (printf "adapter.config.adapter.%s: the port of the pods follows it: end it with a number" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "telegen.validateMode" -}}
{{- $values := .root.Values -}}
{{- $mode := $values.mode -}}
{{- if eq $mode "daemonset" -}}
{{- if not (kindIs "invalid" $values.replicas) -}}
{{- fail "replicas: a DaemonSet has a pod on every node: leave it null, or set mode to standalone or shards" -}}
{{- end -}}
{{- if eq (dig "scope" "auto" .kube) "cluster" -}}
{{- fail "config.kube_metrics.scope: every agent of a DaemonSet would serve all kube_* series: set it to node, or mode to standalone" -}}
{{- end -}}
{{- if dig "kube_state" "pod" "" .kube -}}
{{- fail "config.kube_metrics.kube_state.pod: the pods of a DaemonSet have no ordinal: set mode to shards" -}}
{{- end -}}
{{- if $values.podDisruptionBudget.enabled -}}
{{- fail "podDisruptionBudget.enabled: a drain does not evict the pods of a DaemonSet: set it to false" -}}
{{- end -}}
{{- else -}}
{{- if dig "cadvisor" "enabled" true .kube -}}
{{- fail (printf "config.kube_metrics.cadvisor.enabled: the pods of mode %s do not read their node: set it to false, or mode to daemonset" $mode) -}}
{{- end -}}
{{- if $values.openshift.securityContextConstraints -}}
{{- fail (printf "openshift.securityContextConstraints: the pods of mode %s need none: set it to false" $mode) -}}
{{- end -}}
{{- if and (eq $mode "standalone") (not .facts.isNode) (gt (int ($values.replicas | default 1)) 1) -}}
{{- fail "replicas: each pod would serve every series: set config.kube_metrics.scope to node, so that one serves and the others stand by, or mode to shards" -}}
{{- end -}}
{{- if and (eq $mode "shards") (not (dig "kube_state" "pod" "" .kube)) -}}
{{- fail "config.kube_metrics.kube_state.pod: mode shards divides the objects by the ordinals of pods: leave it as ${POD_NAME}" -}}
{{- end -}}
{{- if and (eq $mode "shards") .facts.isNode -}}
{{- fail "config.kube_metrics.scope: mode shards divides the objects without Leases: leave it, or set mode to standalone" -}}
{{- end -}}
{{- if and $values.podDisruptionBudget.enabled (not (kindIs "invalid" $values.podDisruptionBudget.minAvailable)) (not (kindIs "invalid" $values.podDisruptionBudget.maxUnavailable)) -}}
{{- fail "podDisruptionBudget: minAvailable and maxUnavailable exclude each other: leave one of them null" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "telegen.validateRights" -}}
{{- if and .Values.rbac.useExistingRole .Values.rbac.extraRules -}}
{{- fail "rbac.extraRules: the role of rbac.useExistingRole is not changed: leave one of them empty" -}}
{{- end -}}
{{- $config := include "telegen.config" . | fromYaml -}}
{{- $table := (.Files.Get "files/rights.yaml" | fromYaml).resources -}}
{{- $needs := include "telegen.needs" . | fromYaml -}}
{{- if not .Values.rbac.useClusterRole -}}
{{- if eq .Values.mode "daemonset" -}}
{{- fail "rbac.useClusterRole: the agents of a DaemonSet name the containers of all namespaces: set it to true, or mode to standalone or shards" -}}
{{- end -}}
{{- if not (dig "kube_metrics" "kube_state" "namespaces" list $config) -}}
{{- fail "rbac.useClusterRole: Roles give rights in the namespaces of config.kube_metrics.kube_state.namespaces: list them" -}}
{{- end -}}
{{- range dig "kube_metrics" "kube_state" "namespaces" list $config -}}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" (toString .)) -}}
{{- fail (printf "config.kube_metrics.kube_state.namespaces: %s cannot name a namespace of a Role: list names" (toString .)) -}}
{{- end -}}
{{- end -}}
{{- if or .Values.rbac.customResourcesView .Values.rbac.useExistingRole -}}
{{- fail "rbac.useClusterRole: rbac.customResourcesView and rbac.useExistingRole bind a ClusterRole: set it to true" -}}
{{- end -}}
{{- $cluster := $needs.everywhere -}}
{{- range $needs.watched -}}
{{- if not (get $table (splitList "/" . | last)).namespaced -}}{{- $cluster = append $cluster . -}}{{- end -}}
{{- end -}}
{{- if eq (dig "web" "auth" "" $config) "kubernetes" -}}
{{- $cluster = append $cluster "authentication.k8s.io/tokenreviews" -}}
{{- end -}}
{{- with $cluster -}}
{{- fail (printf "rbac.useClusterRole: config needs %s in the whole cluster: set it to true, or change config" (join ", " .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Names of objects, and labels that selectors have. */ -}}
{{- define "telegen.validateNames" -}}
{{- $name := include "telegen.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- fail (printf "fullnameOverride: %s cannot name a Service: set it to a letter, then small letters, digits and hyphens" $name) -}}
{{- end -}}
{{- if and (eq .Values.mode "shards") (gt (len $name) 52) -}}
{{- fail (printf "fullnameOverride: %s is too long for the pods of a StatefulSet: set it to at most 52 characters" $name) -}}
{{- end -}}
{{- $fixed := list "app" "app.kubernetes.io/name" "app.kubernetes.io/instance" "telegen.io/agents" -}}
{{- range $key, $labels := dict "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels "service.labels" .Values.service.labels -}}
{{- range $label, $_ := $labels -}}
{{- if has $label $fixed -}}
{{- fail (printf "%s: selectors need the chart's label %s: leave it out" $key $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (ne .Values.mode "daemonset") (hasKey .Values.podLabels "app.kubernetes.io/component") -}}
{{- fail (printf "podLabels: scrapes need the chart's label app.kubernetes.io/component in mode %s: leave it out" .Values.mode) -}}
{{- end -}}
{{- end -}}

{{- define "telegen.validateKinds" -}}
{{- if include "telegen.isLive" . -}}
{{- if and (or .Values.prometheus.monitor.enabled .Values.prometheus.rule.enabled) (not (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}
{{- fail "prometheus: the cluster has no kinds of the Prometheus operator (monitoring.coreos.com/v1): install it, or set prometheus.monitor.enabled and prometheus.rule.enabled to false" -}}
{{- end -}}
{{- if and .Values.openshift.securityContextConstraints (not (.Capabilities.APIVersions.Has "security.openshift.io/v1")) -}}
{{- fail "openshift.securityContextConstraints: the cluster has no security.openshift.io/v1: set it to false" -}}
{{- end -}}
{{- end -}}
{{- end -}}
