{{/*
What each service may say and hear on NATS, beside its own replies: nothing that another one is the source of. The API
subjects are those of reading a stream; only the set-up makes streams, and the knowledge base its own.
*/}}
{{- define "bywash.natsPermissions" -}}
knowledge-base:
  publish: ["kb.>", state.kb, state.adapter, "$JS.API.STREAM.*.KB", "$JS.API.STREAM.MSG.GET.KB", "$JS.API.DIRECT.GET.KB"]
  subscribe: ["cmd.kb.>"]
governor:
  publish: ["governor.>", state.governor]
  subscribe: [state.kb, "state.gpu.*", "state.system.*", "cmd.governor.>", "cmd.agent.>"]
gpu-monitor:
  publish: ["state.gpu.*", "state.system.*"]
  subscribe: ["state.gpu.*", "state.system.*", "cmd.gpu.>"]
push-gateway:
  publish: ["app.>", "state.gateway.*", "cmd.>", "$KV.REVOKED.>", "$JS.API.STREAM.MSG.GET.*", "$JS.API.DIRECT.GET.*", "$JS.API.CONSUMER.CREATE.>", "$JS.API.CONSUMER.MSG.NEXT.>"]
  subscribe: [cmd.gateway.all]
setup:
  publish: ["$JS.API.>"]
  subscribe: []
{{- end -}}

{{/* What every service but the set-up does: tells its log, looks whether a stream is there, follows the revocations. */}}
{{- define "bywash.natsEveryService" -}}
- logs.{{ . }}.*
- $JS.API.STREAM.INFO.*
- $JS.API.CONSUMER.CREATE.KV_REVOKED
- $JS.API.CONSUMER.CREATE.KV_REVOKED.>
- $JS.API.CONSUMER.MSG.NEXT.KV_REVOKED.>
{{- end -}}

{{/* The variable with a service's password, on the server. */}}
{{- define "bywash.natsPasswordVariable" -}}
PASSWORD_{{ . | upper | replace "-" "_" }}
{{- end -}}

{{/* The Secret with the passwords; empty where NATS knows no users of ours. */}}
{{- define "bywash.natsUsersSecret" -}}
{{- $nats := .Values.nats -}}
{{- if and $nats.enabled (not $nats.credentialsSecret) -}}
{{- $nats.users.existingSecret | default (printf "%s-nats-users" (include "bywash.name" .)) -}}
{{- end -}}
{{- end -}}

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
{{- if include "bywash.natsUsersSecret" . }}

# One user a service. Inboxes are each one's own, so that nobody reads another's answers.
authorization {
  users: [
    {{- range $service, $may := include "bywash.natsPermissions" . | fromYaml }}
    {{- $publish := $may.publish }}
    {{- if ne $service "setup" }}
    {{- $publish = concat $publish (include "bywash.natsEveryService" $service | fromYamlArray) }}
    {{- end }}
    {
      user: {{ $service }}, password: ${{ include "bywash.natsPasswordVariable" $service }}
      permissions {
        publish: {{ $publish | toRawJson }}
        subscribe: {{ append $may.subscribe (printf "_INBOX_%s.>" $service) | toRawJson }}
        allow_responses: true
      }
    }
    {{- end }}
  ]
}
{{- end }}
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
