{{/* The configuration of the NATS server. */}}
{{- define "bywash.natsConfig" -}}
{{- $nats := .Values.nats }}
{{- $name := printf "%s-nats" (include "bywash.name" .) -}}
# Names in capitals come from the pod's environment.
server_name: $POD_NAME
listen: "0.0.0.0:4222"
http: "0.0.0.0:8222"
max_payload: 1MiB

jetstream {
  store_dir: /data
  max_file_store: {{ $nats.storage.maxFileStore }}
  max_memory_store: {{ $nats.storage.maxMemoryStore }}
{{- if eq (int $nats.replicas) 1 }}
  # With one server an acknowledged event must survive a power cut: clients hold tokens for it.
  sync_interval: always
{{- end }}
}
{{- if gt (int $nats.replicas) 1 }}

cluster {
  name: {{ $name }}
  listen: "0.0.0.0:6222"
  no_advertise: true
  routes: [
    {{- range until (int $nats.replicas) }}
    nats://{{ $name }}-{{ . }}.{{ $name }}-headless:6222
    {{- end }}
  ]
}
{{- end }}
{{- end -}}
