{{/* The name of every object; names of pods end in -0 and are labels, so 63 - 2 characters. */}}
{{- define "muond.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 54 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 54 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "muond.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "muond.labels" -}}
{{ include "muond.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "muond.image" -}}
{{- $variant := ternary "gpu" "cpu" .Values.gpu.enabled -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default (printf "%s-%s" .Chart.AppVersion $variant) }}
{{- end }}

{{/* What the server would refuse, said before anything is installed. */}}
{{- define "muond.check" -}}
{{- if and (not .Values.tls.secretName) (not .Values.allowPlaintext) -}}
{{- fail "tls.secretName: empty (expected: the name of a Secret, or allowPlaintext: true)" -}}
{{- end -}}
{{- if and .Values.tls.verifyClients (not .Values.tls.secretName) -}}
{{- fail "tls.verifyClients: without TLS (expected: tls.secretName too)" -}}
{{- end -}}
{{- if not (or .Values.tokens.secretName .Values.tls.verifyClients .Values.allowAnonymous) -}}
{{- fail "tokens.secretName: empty (expected: the name of a Secret, tls.verifyClients: true or allowAnonymous: true)" -}}
{{- end -}}
{{- end }}

{{/* Flags and not the environment, which the command line in the same container would read too. */}}
{{- define "muond.args" -}}
- --engine={{ ternary "cuda" "cpu" .Values.gpu.enabled }}
- --drain-timeout={{ int .Values.drainTimeoutSeconds }}s
{{- if .Values.tls.secretName }}
- --tls-cert=/etc/muond/tls/tls.crt
- --tls-key=/etc/muond/tls/tls.key
{{- if .Values.tls.verifyClients }}
- --tls-client-ca=/etc/muond/tls/ca.crt
{{- end }}
{{- end }}
{{- if .Values.tokens.secretName }}
- --token-file=/etc/muond/tokens/tokens
{{- end }}
{{- if .Values.quotas }}
- --quota-file=/etc/muond/quotas/quotas.json
{{- end }}
{{- if .Values.allowPlaintext }}
- --allow-plaintext
{{- end }}
{{- if .Values.allowAnonymous }}
- --allow-anonymous
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The resources of the values, and the devices. */}}
{{- define "muond.resources" -}}
{{- $resources := deepCopy .Values.resources -}}
{{- if .Values.gpu.enabled -}}
{{- $limits := get $resources "limits" | default dict -}}
{{- $_ := set $limits .Values.gpu.resource (int .Values.gpu.count) -}}
{{- $_ := set $resources "limits" $limits -}}
{{- end -}}
{{ toYaml $resources }}
{{- end }}
