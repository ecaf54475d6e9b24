{{- /* Resources as GROUP/NAME that the agent lists and watches: of the cluster or its namespaces (`watched`), in any case of the whole
cluster (`everywhere`), and in its own namespace (`own`). */ -}}
{{- define "telegen.needs" -}}
{{- $table := .Files.Get "files/rights.yaml" | fromYaml -}}
{{- $facts := include "telegen.facts" . | fromYaml -}}
{{- $config := include "telegen.config" . | fromYaml -}}
{{- $state := dig "kube_metrics" "kube_state" dict $config -}}
{{- $custom := dig "custom_resource_state" dict $state -}}
{{- $watched := list -}}
{{- $everywhere := list -}}
{{- $own := list -}}
{{- if and $facts.watches (not (dig "only" false $custom)) -}}
{{- $chosen := dig "resources" list $state -}}
{{- range $name, $resource := $table.resources -}}
{{- if and ($chosen | empty | ternary $resource.default (has $name $chosen)) (not (has $name (dig "resources_exclude" list $state))) -}}
{{- $watched = append $watched (printf "%s/%s" $resource.group $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $facts.watches -}}
{{- $everywhere = concat $everywhere (include "telegen.customKinds" (dict "custom" $custom "packs" $table.packs) | fromYamlArray) -}}
{{- end -}}
{{- if and $facts.watches (dig "kube_metrics" "logs_streaming" "enabled" false $config) -}}
{{- $everywhere = append $everywhere "events.k8s.io/events" -}}
{{- end -}}
{{- if and $facts.readsHost $facts.readsApi -}}
{{- $everywhere = append $everywhere "/pods" -}}
{{- end -}}
{{- $labels := dig "labels_on_series" dict $state -}}
{{- $forSeries := and $facts.watches (or $labels.namespace_labels $labels.namespace_annotations) -}}
{{- $forContainers := and $facts.readsHost $facts.readsApi (dig "kube_metrics" "cadvisor" "namespace_labels" list $config) -}}
{{- $forName := and $facts.readsApi (dig "kubernetes" "cluster_uid" false $config) (not (dig "kubernetes" "cluster_name" "" $config)) -}}
{{- if or $forSeries $forContainers $forName -}}
{{- $everywhere = append $everywhere "/namespaces" -}}
{{- end -}}
{{- if and $facts.watches $state.pod -}}
{{- $own = list "/pods" "apps/statefulsets" -}}
{{- end -}}
{{- dict "watched" $watched "everywhere" ($everywhere | uniq) "own" $own | toYaml -}}
{{- end -}}

{{- /* Custom resources of packs, of the configuration's entries by the usual name of their kind, and of the health. */ -}}
{{- define "telegen.customKinds" -}}
{{- $custom := .custom -}}
{{- $packs := $custom.packs | default list -}}
{{- $found := list -}}
{{- range $pack, $kinds := .packs -}}
{{- if or (has $pack $packs) (has "auto" $packs) -}}{{- $found = concat $found $kinds -}}{{- end -}}
{{- end -}}
{{- range include "telegen.entries" $custom | fromYamlArray -}}
{{- $kind := .kind | default "*" | lower -}}
{{- if regexMatch "(s|x|z|ch|sh)$" $kind -}}{{- $kind = printf "%ses" $kind -}}
{{- else if regexMatch "[^aeiou]y$" $kind -}}{{- $kind = printf "%sies" (trimSuffix "y" $kind) -}}
{{- else if ne $kind "*" -}}{{- $kind = printf "%ss" $kind -}}
{{- end -}}
{{- $found = append $found (printf "%s/%s" .group $kind) -}}
{{- end -}}
{{- $health := dig "health" "none" $custom -}}
{{- if kindIs "slice" $health -}}
{{- range $health -}}{{- $found = append $found (printf "%s/*" .) -}}{{- end -}}
{{- end -}}
{{- if or (and (kindIs "slice" $health) $health) (has $health (list "auto" "all")) (and (eq (toString $health) "none") (has "auto" $packs)) -}}
{{- $found = append $found "apiregistration.k8s.io/apiservices" -}}
{{- end -}}
{{- if or $found $custom.config_file $custom.files (dig "config_maps" "selector" "" $custom) -}}
{{- $found = prepend $found "apiextensions.k8s.io/customresourcedefinitions" -}}
{{- end -}}
{{- $found | uniq | toYaml -}}
{{- end -}}

{{- /* Group and kind of each entry of either format; both may be texts. */ -}}
{{- define "telegen.entries" -}}
{{- $found := list -}}
{{- $parsed := .config | default "" | fromYaml -}}
{{- if $parsed.Error -}}
{{- fail "config.kube_metrics.kube_state.custom_resource_state.config: rights follow its entries: set it to a text of YAML with spec.resources" -}}
{{- end -}}
{{- $spec := $parsed.spec -}}
{{- range (kindIs "map" $spec | ternary $spec dict).resources -}}
{{- $found = append $found (include "telegen.entry" (dict "entry" . "key" "groupVersionKind" "setting" "config") | fromYaml) -}}
{{- end -}}
{{- $metrics := .metrics | default list -}}
{{- range kindIs "string" $metrics | ternary (toString $metrics | fromYamlArray) $metrics -}}
{{- $found = append $found (include "telegen.entry" (dict "entry" . "key" "resource" "setting" "metrics") | fromYaml) -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{- /* Group and kind of one entry. */ -}}
{{- define "telegen.entry" -}}
{{- $found := dig .key "" (kindIs "map" .entry | ternary .entry dict) -}}
{{- if not (kindIs "map" $found) -}}
{{- fail (printf "config.kube_metrics.kube_state.custom_resource_state.%s: rights follow %s of each entry: set group and kind there" .setting .key) -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{- /* Rules to list and watch a list of GROUP/NAME, one per group. */ -}}
{{- define "telegen.rules" -}}
{{- $groups := dict -}}
{{- range . -}}
{{- $group := splitList "/" . | first -}}
{{- $_ := set $groups $group (append (dig $group list $groups) (splitList "/" . | last)) -}}
{{- end -}}
{{- range $group, $resources := $groups }}
- apiGroups: [{{ $group | quote }}]
  resources:
    {{- has "*" $resources | ternary (list "*") ($resources | uniq | sortAlpha) | toYaml | nindent 4 }}
  verbs: [list, watch]
{{- end }}
{{- end -}}

{{- /* True if the API server is to review the tokens of scrapers. */ -}}
{{- define "telegen.reviews" -}}
{{- if eq (dig "web" "auth" "" (include "telegen.config" . | fromYaml)) "kubernetes" }}true{{ end -}}
{{- end -}}

{{- /* Rules of the ClusterRole. */ -}}
{{- define "telegen.clusterRules" -}}
{{- $needs := include "telegen.needs" . | fromYaml -}}
{{- include "telegen.rules" (concat $needs.watched $needs.everywhere) }}
{{- if include "telegen.reviews" . }}
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
{{- end }}
{{- if .Values.openshift.securityContextConstraints }}
- apiGroups: [security.openshift.io]
  resources: [securitycontextconstraints]
  resourceNames: [{{ include "telegen.fullname" . }}-node-files]
  verbs: [use]
{{- end }}
{{- with .Values.rbac.extraRules }}
{{ toYaml . }}
{{- end }}
{{- end -}}
