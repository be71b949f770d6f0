from channels.routing import URLRouter
from channels.security.websocket import WebsocketDenier
from django.urls import re_path

from usage.live.consumer import UsageConsumer

websocket_router = URLRouter(
    [
        re_path(r"^ws/usage/?$", UsageConsumer.as_asgi()),
        # Without it an unknown path would be an exception, and a 500 in the handshake.
        re_path(r"", WebsocketDenier.as_asgi()),
    ]
)
