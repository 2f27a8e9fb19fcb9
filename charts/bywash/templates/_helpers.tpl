{{/* Names, labels and the parts that all pods share. */}}

{{- define "bywash.name" -}}
{{- if contains "bywash" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-bywash" (.Release.Name | trunc 33 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* Name and labels of a component's object: (dict "root" $ "component" "governor"). */}}
{{- define "bywash.metadata" -}}
name: {{ include "bywash.name" .root }}-{{ .component }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "bywash.labels" . | nindent 2 }}
{{- end -}}

{{- define "bywash.labels" -}}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: bywash
{{ include "bywash.selector" . }}
{{- end -}}

{{- define "bywash.selector" -}}
app.kubernetes.io/name: bywash
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of pods: without versions, or each new chart would restart every pod, NATS too. */}}
{{- define "bywash.podLabels" -}}
app.kubernetes.io/part-of: bywash
{{ include "bywash.selector" . }}
{{- end -}}

{{- define "bywash.image" -}}
{{- $image := .root.Values.image -}}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $image.repository }}/{{ .component }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}

{{/* Where a component finds NATS, as its user: (dict "root" $ "component" "governor"). */}}
{{- define "bywash.natsUrl" -}}
{{- $nats := .root.Values.nats -}}
{{- $user := "" -}}
{{- if include "bywash.natsUsersSecret" .root -}}
{{- $user = printf "%s:$(NATS_PASSWORD)@" .component -}}
{{- end -}}
{{- if $nats.enabled -}}
nats://{{ $user }}{{ include "bywash.name" .root }}-nats:4222
{{- else -}}
{{- required "nats.enabled is false: say where NATS is in nats.externalUrl" $nats.externalUrl -}}
{{- end -}}
{{- end -}}

{{/* Whether a source of keys for tokens is set; empty: no. */}}
{{- define "bywash.acceptsTokens" -}}
{{- with .Values.auth.jwt -}}{{- if or .jwksUrl .existingSecret -}}true{{- end -}}{{- end -}}
{{- end -}}

{{/* The Secret with the key that signs tickets. */}}
{{- define "bywash.ticketSecret" -}}
{{- .Values.pushGateway.tickets.existingSecret | default (printf "%s-tickets" (include "bywash.name" .)) -}}
{{- end -}}

{{/* Environment of a service that asks who calls. */}}
{{- define "bywash.authEnv" -}}
{{- $auth := .Values.auth -}}
{{- if $auth.insecureOpen -}}
- name: BYWASH_INSECURE_OPEN
  value: "true"
{{- end -}}
{{- if $auth.existingSecret -}}
- name: BYWASH_API_KEYS_FILE
  value: /etc/bywash/auth/keys.json
{{- end -}}
{{- if include "bywash.acceptsTokens" . }}
{{- with $auth.jwt.jwksUrl }}
- name: BYWASH_JWT_JWKS_URL
  value: {{ . | quote }}
{{- end }}
{{- if $auth.jwt.existingSecret }}
- name: {{ ternary "BYWASH_JWT_SECRET_FILE" "BYWASH_JWT_KEY_FILE" (eq $auth.jwt.kind "sharedSecret") }}
  value: /etc/bywash/jwt/key
{{- end }}
{{- with $auth.jwt.issuer }}
- name: BYWASH_JWT_ISSUER
  value: {{ . | quote }}
{{- end }}
{{- with $auth.jwt.audience }}
- name: BYWASH_JWT_AUDIENCE
  value: {{ . | quote }}
{{- end }}
- name: BYWASH_JWT_LEEWAY_S
  value: {{ $auth.jwt.leewaySeconds | quote }}
{{- end }}
{{- if .Values.tls.existingSecret }}
- name: BYWASH_TLS_CERT_FILE
  value: /etc/bywash/tls/tls.crt
- name: BYWASH_TLS_KEY_FILE
  value: /etc/bywash/tls/tls.key
{{- end }}
{{- end -}}

{{/* A probe over the service's port: (dict "root" $ "path" "/livez"). */}}
{{- define "bywash.httpGet" -}}
httpGet: {path: {{ .path }}, port: http{{ if .root.Values.tls.existingSecret }}, scheme: HTTPS{{ end }}}
{{- end -}}

{{/* Refuses values with which the services would not start. */}}
{{- define "bywash.check" -}}
{{- $auth := .Values.auth -}}
{{- if and $auth.existingSecret $auth.insecureOpen -}}
{{- fail "auth.existingSecret and auth.insecureOpen exclude each other: set one" -}}
{{- end -}}
{{- if and $auth.jwt.jwksUrl $auth.jwt.existingSecret -}}
{{- fail "auth.jwt.jwksUrl and auth.jwt.existingSecret exclude each other: set one" -}}
{{- end -}}
{{- $tokens := include "bywash.acceptsTokens" . -}}
{{- if and $tokens $auth.insecureOpen -}}
{{- fail "auth.jwt and auth.insecureOpen exclude each other: set one" -}}
{{- end -}}
{{- if not (or $auth.existingSecret $tokens $auth.insecureOpen) -}}
{{- fail "API keys are missing: set auth.existingSecret to a Secret with the keys file (see the chart's README), or a source of keys for tokens in auth.jwt, or auth.insecureOpen=true to let anyone in" -}}
{{- end -}}
{{- end -}}

{{/* Pod fields that "restricted" Pod Security asks for, and what no pod here needs. */}}
{{- define "bywash.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "bywash.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "bywash.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "bywash.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Copies of each stream, for those who create one. */}}
{{- define "bywash.streamReplicas" -}}
{{- if and .Values.nats.enabled (gt (int .Values.nats.replicas) 1) -}}
- name: BYWASH_STREAM_REPLICAS
  value: {{ .Values.nats.replicas | quote }}
{{- end -}}
{{- end -}}

{{/* Environment that the set-up and the services share: (dict "root" $ "component" "governor"). */}}
{{- define "bywash.commonEnv" -}}
- name: BYWASH_INSTANCE
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- with include "bywash.natsUsersSecret" .root }}
- name: NATS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $.component }}
{{- end }}
- name: BYWASH_NATS_URL
  value: {{ include "bywash.natsUrl" . | quote }}
{{- if .root.Values.nats.credentialsSecret }}
- name: BYWASH_NATS_CREDENTIALS
  value: /etc/bywash/nats/nats.creds
{{- end }}
- name: BYWASH_LOG
  value: {{ .root.Values.logLevel | quote }}
- name: BYWASH_LOG_FORMAT
  value: json
{{- with .root.Values.telemetry.otlpEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name={{ $.root.Release.Namespace }},k8s.pod.name=$(BYWASH_INSTANCE)
{{- end }}
{{- end -}}

{{- define "bywash.commonMounts" -}}
{{- if .Values.auth.existingSecret }}
- name: api-keys
  mountPath: /etc/bywash/auth
  readOnly: true
{{- end }}
{{- if .Values.auth.jwt.existingSecret }}
- name: jwt
  mountPath: /etc/bywash/jwt
  readOnly: true
{{- end }}
{{- if .Values.tls.existingSecret }}
- name: tls
  mountPath: /etc/bywash/tls
  readOnly: true
{{- end }}
{{- if .Values.nats.credentialsSecret }}
- name: nats-credentials
  mountPath: /etc/bywash/nats
  readOnly: true
{{- end }}
{{- end -}}

{{- define "bywash.commonVolumes" -}}
{{- with .Values.auth.existingSecret }}
- name: api-keys
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items:
      - key: {{ $.Values.auth.secretKey }}
        path: keys.json
{{- end }}
{{- with .Values.auth.jwt.existingSecret }}
- name: jwt
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items:
      - key: {{ $.Values.auth.jwt.entry }}
        path: key
{{- end }}
{{- with .Values.tls.existingSecret }}
- name: tls
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- with .Values.nats.credentialsSecret }}
- name: nats-credentials
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items:
      - key: nats.creds
        path: nats.creds
{{- end }}
{{- end -}}

{{/*
One service's container: (dict "root" $ "component" "governor" "port" 5002 "values" .Values.governor "env" "<yaml>"
"mounts" "<yaml>"), the last two optional. The image's entry point is the service; all settings are environment.
*/}}
{{- define "bywash.container" -}}
- name: {{ .component }}
  image: {{ include "bywash.image" . }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  {{- include "bywash.containerSecurity" . | nindent 2 }}
  ports:
    - name: http
      containerPort: {{ .port }}
  env:
    - name: BYWASH_HTTP_ADDR
      value: "0.0.0.0:{{ .port }}"
    {{- include "bywash.commonEnv" . | nindent 4 }}
    - name: BYWASH_DRAIN_DELAY_S
      value: {{ .root.Values.drain.delaySeconds | quote }}
    - name: BYWASH_DRAIN_TIMEOUT_S
      value: {{ .root.Values.drain.timeoutSeconds | quote }}
    - name: BYWASH_LOG_PUSH
      value: {{ .root.Values.logPush | quote }}
    {{- include "bywash.authEnv" .root | trim | nindent 4 }}
    {{- with .root.Values.allowedOrigins }}
    - name: BYWASH_ALLOWED_ORIGINS
      value: {{ join "," . | quote }}
    {{- end }}
    {{- with .env }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with .values.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  startupProbe:
    {{- include "bywash.httpGet" (dict "root" .root "path" "/livez") | nindent 4 }}
    periodSeconds: 2
    failureThreshold: 60
  livenessProbe:
    {{- include "bywash.httpGet" (dict "root" .root "path" "/livez") | nindent 4 }}
    periodSeconds: 10
    timeoutSeconds: 5
  readinessProbe:
    {{- include "bywash.httpGet" (dict "root" .root "path" "/readyz") | nindent 4 }}
    periodSeconds: 5
    timeoutSeconds: 3
    failureThreshold: 2
  resources:
    {{- toYaml .values.resources | nindent 4 }}
  {{- $mounts := list (include "bywash.commonMounts" .root | trim) (.mounts | default "") | compact }}
  {{- with $mounts }}
  volumeMounts:
    {{- join "\n" . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Metadata of a service's pod template: (dict "root" $ "component" "governor" "port" 5002). */}}
{{- define "bywash.podMetadata" -}}
labels:
  {{- include "bywash.podLabels" . | nindent 2 }}
{{- if .root.Values.metrics.scrapeAnnotations }}
annotations:
  prometheus.io/scrape: "true"
  prometheus.io/port: {{ .port | quote }}
  prometheus.io/path: /metrics
  {{- if .root.Values.tls.existingSecret }}
  prometheus.io/scheme: https
  {{- end }}
{{- end }}
{{- end -}}

{{/*
Pod spec fields of a service, without containers and volumes: (dict "root" $ "component" "governor" "values" ...).
The kubelet waits five seconds longer than the service's own drain, so that it is not killed while draining.
*/}}
{{- define "bywash.podSpec" -}}
serviceAccountName: {{ include "bywash.name" .root }}-{{ .component }}
{{ include "bywash.podSecurity" . }}
terminationGracePeriodSeconds: {{ add .root.Values.drain.delaySeconds .root.Values.drain.timeoutSeconds 5 }}
{{- include "bywash.pullSecrets" .root }}
{{- include "bywash.placement" .values }}
{{- end -}}
