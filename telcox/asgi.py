"""ASGI application: WebSockets in production (`bin/live`), WebSockets and HTTP in the embedded server
(`make run`)."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

from telcox.common.garbage_collector import spare_the_server

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "telcox.settings")

http = get_asgi_application()

from telcox.common.sockets.daphne import extend_daphne  # noqa: E402 - needs the app registry
from telcox.common.sockets.who import of_own_pages  # noqa: E402
from usage.live.routing import websocket_router  # noqa: E402

extend_daphne()

application = ProtocolTypeRouter({"http": http, "websocket": of_own_pages(websocket_router)})
spare_the_server()
