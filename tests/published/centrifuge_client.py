"""Drives centrifuge-python, in JSON or, with --protobuf, in Protobuf. Commands and events are centrifuge.mjs's."""

import asyncio
import json
import sys

from centrifuge import Client, ClientEventHandler, StreamPosition, SubscriptionEventHandler

from driver import drive, refusal, tell

URL = sys.argv[1]
PROTOBUF = "--protobuf" in sys.argv[2:]

# Soon enough for a test.
RECONNECT_DELAY_S = {"min_reconnect_delay": 0.02, "max_reconnect_delay": 0.2}
RESUBSCRIBE_DELAY_S = {"min_resubscribe_delay": 0.02, "max_resubscribe_delay": 0.2}


def encoded(data):
    return json.dumps(data).encode() if PROTOBUF else data


def decoded(data):
    if isinstance(data, bytes):
        return json.loads(data) if data else None
    return data


def next_of(event, values, **fields):
    """The next of a list that a test gave, its last one again and again."""
    tell(event, **fields)
    return values.pop(0) if len(values) > 1 else values[0]


def publication(channel, pub):
    return {
        "channel": channel,
        "offset": pub.offset,
        "data": decoded(pub.data),
        "tags": dict(pub.tags or {}),
        "user": pub.info.user if pub.info else None,
    }


def subscribed(ctx):
    at = ctx.stream_position
    return {
        "channel": ctx.channel,
        "recoverable": ctx.recoverable,
        "positioned": ctx.positioned,
        "position": {"offset": at.offset, "epoch": at.epoch} if at else None,
        "was_recovering": ctx.was_recovering,
        "recovered": ctx.recovered,
    }


class ClientEvents(ClientEventHandler):
    async def on_connecting(self, ctx):
        tell("connecting", code=ctx.code, reason=ctx.reason)

    async def on_connected(self, ctx):
        tell("connected", client=ctx.client, data=decoded(ctx.data))

    async def on_disconnected(self, ctx):
        tell("disconnected", code=ctx.code, reason=ctx.reason)

    async def on_error(self, ctx):
        tell("error", type=ctx.code, **refusal(ctx.error))

    async def on_subscribed(self, ctx):
        tell("server_subscribed", **subscribed(ctx))

    async def on_unsubscribed(self, ctx):
        tell("server_unsubscribed", channel=ctx.channel)

    async def on_publication(self, ctx):
        tell("server_publication", **publication(ctx.channel, ctx.pub))


class SubscriptionEvents(SubscriptionEventHandler):
    def __init__(self, channel):
        self.channel = channel

    async def on_subscribing(self, ctx):
        tell("subscribing", channel=self.channel, code=ctx.code, reason=ctx.reason)

    async def on_subscribed(self, ctx):
        tell("subscribed", **subscribed(ctx))

    async def on_unsubscribed(self, ctx):
        tell("unsubscribed", channel=self.channel, code=ctx.code, reason=ctx.reason)

    async def on_publication(self, ctx):
        tell("publication", **publication(self.channel, ctx.pub))

    async def on_error(self, ctx):
        tell("subscription_error", channel=self.channel, **refusal(ctx.error))


class Commands:
    client = None

    async def connect(self, token="", tokens=None, data=None, headers=None, max_ping_delay_ms=10_000):
        async def get_token():
            return next_of("token_asked", tokens)

        self.client = Client(
            URL,
            events=ClientEvents(),
            token=token,
            get_token=get_token if tokens else None,
            use_protobuf=PROTOBUF,
            data=None if data is None else encoded(data),
            headers=headers,
            max_server_ping_delay=max_ping_delay_ms / 1_000,
            proxy=None,
            **RECONNECT_DELAY_S,
        )
        # Not awaited: it goes on trying while the gateway is away.
        self.connecting = asyncio.ensure_future(self.client.connect())

    async def subscribe(self, channel, recoverable=False, positioned=False, token="", states=None):
        async def get_state(_channel):
            return StreamPosition(**next_of("state_asked", states, channel=channel))

        subscription = self.client.new_subscription(
            channel,
            events=SubscriptionEvents(channel),
            token=token,
            recoverable=recoverable,
            positioned=positioned,
            get_state=get_state if states else None,
            **RESUBSCRIBE_DELAY_S,
        )
        await subscription.subscribe()

    async def unsubscribe(self, channel):
        await self.client.get_subscription(channel).unsubscribe()

    async def publish(self, channel, data):
        await self.client.publish(channel, encoded(data))

    async def rpc(self, method, data):
        return decoded((await self.client.rpc(method, encoded(data))).data)

    async def history(self, channel, limit=0, since=None, reverse=False):
        since = StreamPosition(**since) if since else None
        found = await self.client.history(channel, limit=limit, since=since, reverse=reverse)
        publications = [publication(channel, pub) for pub in found.publications]
        return {"offset": found.offset, "epoch": found.epoch, "publications": publications}

    async def presence_stats(self, channel):
        stats = await self.client.presence_stats(channel)
        return {"clients": stats.num_clients, "users": stats.num_users}

    async def disconnect(self):
        await self.client.disconnect()


asyncio.run(drive(Commands()))
