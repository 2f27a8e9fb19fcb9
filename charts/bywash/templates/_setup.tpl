{{/* The pod of the set-up Job, apart from the Job because its digest is part of the Job's name. */}}
{{- define "bywash.setupPod" -}}
metadata:
  labels:
    {{- include "bywash.podLabels" (dict "root" . "component" "setup") | nindent 4 }}
spec:
  serviceAccountName: {{ include "bywash.name" . }}-setup
  {{- include "bywash.podSecurity" . | nindent 2 }}
  restartPolicy: OnFailure
  {{- include "bywash.pullSecrets" . | indent 2 }}
  containers:
    - name: setup
      image: {{ include "bywash.image" (dict "root" . "component" "setup") }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      {{- include "bywash.containerSecurity" . | nindent 6 }}
      env:
        {{- include "bywash.commonEnv" (dict "root" . "component" "setup") | nindent 8 }}
        {{- with include "bywash.streamReplicas" . }}
        {{- . | nindent 8 }}
        {{- end }}
      resources:
        {{- toYaml .Values.setup.resources | nindent 8 }}
      {{- if .Values.nats.credentialsSecret }}
      volumeMounts:
        - name: nats-credentials
          mountPath: /etc/bywash/nats
          readOnly: true
      {{- end }}
  {{- with .Values.nats.credentialsSecret }}
  volumes:
    - name: nats-credentials
      secret:
        secretName: {{ . }}
        defaultMode: 0440
        items:
          - key: nats.creds
            path: nats.creds
  {{- end }}
{{- end -}}
