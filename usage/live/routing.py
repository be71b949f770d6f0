from channels.routing import URLRouter
from channels.security.websocket import WebsocketDenier
from django.urls import re_path

from usage.live.consumer import UsageConsumer

websocket_router = URLRouter(
    [
        re_path(r"^ws/usage/?$", UsageConsumer.as_asgi()),
        # Without it, an unknown path would raise an exception and answer the handshake with 500.
        re_path(r"", WebsocketDenier.as_asgi()),
    ]
)
