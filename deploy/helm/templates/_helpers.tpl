{{/* The secret files by their keys in the Secret: the variable that names each, and the components
that get it, if not all do. */}}
{{- define "weighbridge.files" -}}
secret_key: {variable: SECRET_KEY_FILE, required: true}
link_keys: {variable: LINK_KEYS_FILE, required: true}
encryption_keys: {variable: ENCRYPTION_KEYS_FILE, required: true}
postgres_password: {variable: DATABASE_PASSWORD_FILE, required: true}
broker_password: {variable: BROKER_PASSWORD_FILE, required: true}
cache_password: {variable: CACHE_PASSWORD_FILE, required: true}
s3_secret_key: {variable: AWS_SECRET_ACCESS_KEY_FILE}
cdn.pem: {variable: CDN_KEY_FILE}
manifest.pem: {variable: MANIFEST_KEY_FILE, only: [worker, backup]}
audit.pem: {variable: AUDIT_KEY_FILE, only: [worker, backup]}
email_password: {variable: EMAIL_PASSWORD_FILE, only: [worker]}
orcid_client_secret: {variable: ORCID_CLIENT_SECRET_FILE, only: [web]}
github_client_secret: {variable: GITHUB_CLIENT_SECRET_FILE, only: [web]}
google_client_secret: {variable: GOOGLE_CLIENT_SECRET_FILE, only: [web]}
{{- end }}

{{/* The files of `component`, as `files` above. */}}
{{- define "weighbridge.mounted" -}}
{{- $present := concat (keys .root.Values.secrets.values) .root.Values.secrets.files }}
{{- $found := dict }}
{{- range $key, $file := include "weighbridge.files" .root | fromYaml }}
{{- if and (or $file.required (has $key $present)) (has $.component (default (list $.component) $file.only)) }}
{{- $_ := set $found $key $file }}
{{- end }}
{{- end }}
{{- toYaml $found }}
{{- end }}

{{- define "weighbridge.secret" -}}
{{ .Values.secrets.existing | default .Release.Name }}
{{- end }}

{{- define "weighbridge.host" -}}
{{ (urlParse .Values.settings.PUBLIC_URL).hostname }}
{{- end }}

{{/* Labels that select the pods of `component`. */}}
{{- define "weighbridge.selector" -}}
app.kubernetes.io/name: weighbridge
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "weighbridge.metadata" -}}
name: {{ .root.Release.Name }}-{{ .component }}
labels:
  {{- include "weighbridge.selector" . | nindent 2 }}
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
  helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* Settings that only web reads end in _CLIENT_ID. */}}
{{- define "weighbridge.environment" -}}
{{- $settings := merge (dict) .root.Values.settings (dict "ALLOWED_HOSTS" (include "weighbridge.host" .root)) }}
{{- range $name, $value := $settings }}
{{- if or (eq $.component "web") (not (hasSuffix "_CLIENT_ID" $name)) }}
- name: {{ $name }}
  value: {{ kindIs "float64" $value | ternary (printf "%v" (int64 (toString $value | float64))) (toString $value) | quote }}
{{- end }}
{{- end }}
{{- if and .root.Values.metrics.enabled (eq .component "web") }}
- name: METRICS_ADDRESS
  value: 0.0.0.0:9100
{{- end }}
{{- range $key, $file := include "weighbridge.mounted" . | fromYaml }}
- name: {{ $file.variable }}
  value: /srv/secrets/{{ $key }}
{{- end }}
{{- end }}

{{/* The template of a pod: `root`, `component`, `command` and, if any, `container` (YAML of more keys
of the container) and `pod` (YAML of more keys of the pod). */}}
{{- define "weighbridge.pod" -}}
metadata:
  labels:
    {{- include "weighbridge.selector" . | nindent 4 }}
  annotations:
    # New secret values of the chart restart the pods; `secrets.existing` needs a rollout restart.
    weighbridge/secrets: {{ .root.Values.secrets.values | toYaml | sha256sum }}
spec:
  {{- with .pod }}
  {{- . | nindent 2 }}
  {{- end }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .root.Values.serviceAccountName }}
  serviceAccountName: {{ . }}
  {{- end }}
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- with .root.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "weighbridge.selector" $ | nindent 10 }}
    {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      command: {{ .command | toJson }}
      env:
        {{- include "weighbridge.environment" . | trim | nindent 8 }}
      {{- with .container }}
      {{- . | nindent 6 }}
      {{- end }}
      resources:
        {{- toYaml (index .root.Values .component).resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: secrets, mountPath: /srv/secrets, readOnly: true}
        - {name: tmp, mountPath: /tmp}
        {{- if .root.Values.weights.claim }}
        - {name: weights, mountPath: /srv/weights}
        {{- end }}
        {{- if eq .component "backup" }}
        - {name: backups, mountPath: /srv/backups}
        {{- end }}
  volumes:
    - name: secrets
      secret:
        secretName: {{ include "weighbridge.secret" .root }}
        defaultMode: 0440
        items:
          {{- range $key, $file := include "weighbridge.mounted" . | fromYaml }}
          - {key: {{ $key }}, path: {{ $key }}}
          {{- end }}
    - name: tmp
      emptyDir: {sizeLimit: 2Gi}
    {{- if .root.Values.weights.claim }}
    - name: weights
      persistentVolumeClaim:
        claimName: {{ .root.Values.weights.claim }}
    {{- end }}
    {{- if eq .component "backup" }}
    - name: backups
      persistentVolumeClaim:
        claimName: {{ .root.Values.backup.claim }}
    {{- end }}
{{- end }}

{{/* Values that contradict each other end the rendering with one line. */}}
{{- define "weighbridge.check" -}}
{{- $secrets := .Values.secrets }}
{{- if eq (empty $secrets.existing) (empty $secrets.values) }}
{{- fail "secrets: set either secrets.existing (the name of a Secret) or secrets.values" }}
{{- end }}
{{- if and $secrets.values $secrets.files }}
{{- fail "secrets.files: lists the keys of secrets.existing; with secrets.values leave it out" }}
{{- end }}
{{- range $key, $file := include "weighbridge.files" . | fromYaml }}
{{- if and $file.required $secrets.values (not (hasKey $secrets.values $key)) }}
{{- fail (printf "secrets.values.%s: is missing; sh deploy/secrets.sh generates it" $key) }}
{{- end }}
{{- end }}
{{- range $setting, $key := dict "DATABASE_URL" "postgres_password" "BROKER_URL" "broker_password" "CACHE_URL" "cache_password" "EMAIL_URL" "email_password" }}
{{- if contains ":" (urlParse (index $.Values.settings $setting | default "")).userinfo }}
{{- fail (printf "settings.%s: holds a password; move it to %s of the Secret" $setting $key) }}
{{- end }}
{{- end }}
{{- $present := concat (keys $secrets.values) $secrets.files }}
{{- range $setting, $key := dict "AWS_ACCESS_KEY_ID" "s3_secret_key" "CDN_URL" "cdn.pem" "ORCID_CLIENT_ID" "orcid_client_secret" "GITHUB_CLIENT_ID" "github_client_secret" "GOOGLE_CLIENT_ID" "google_client_secret" }}
{{- if and (index $.Values.settings $setting) (not (has $key $present)) }}
{{- fail (printf "settings.%s: needs %s in the Secret; add it to secrets.files or secrets.values" $setting $key) }}
{{- end }}
{{- end }}
{{- if ne (hasPrefix "file:" .Values.settings.WEIGHTS_STORAGE) (not (empty .Values.weights.claim)) }}
{{- fail "weights.claim: names the shared volume of WEIGHTS_STORAGE file:///srv/weights; set both, or s3:// and no claim" }}
{{- end }}
{{- range $name, $scale := dict "web" .Values.web.autoscaling "worker" .Values.worker.autoscaling }}
{{- if gt (int $scale.min) (int $scale.max) }}
{{- fail (printf "%s.autoscaling: min is greater than max" $name) }}
{{- end }}
{{- end }}
{{- end }}
