{{/* What is in a namespace, the operator's service account above all, is named after the release. What is in none has
     fixed names: there is one Leasehold in a cluster, and Helm refuses a second one because of them. */}}
{{- define "leasehold.name" -}}
{{- if contains "leasehold" .Release.Name -}}
{{ .Release.Name }}
{{- else -}}
{{ printf "%s-leasehold" .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{/* As the API server knows the operator. */}}
{{- define "leasehold.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "leasehold.name" . }}
{{- end }}

{{/* For all objects. */}}
{{- define "leasehold.labels" -}}
{app.kubernetes.io/part-of: leasehold}
{{- end }}

{{/* What selects the operator's pods; never changes between versions. */}}
{{- define "leasehold.selector" -}}
app.kubernetes.io/name: leasehold
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* For the objects that run the operator. */}}
{{- define "leasehold.operatorLabels" -}}
{{ include "leasehold.selector" . }}
app.kubernetes.io/part-of: leasehold
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{/* A digest names exactly one image, so it wins over the tag. */}}
{{- define "leasehold.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ printf "%s@%s" .repository .digest }}
{{- else -}}
{{ printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) }}
{{- end -}}
{{- end -}}
{{- end }}
