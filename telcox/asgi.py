"""WebSockets in production (`bin/live`), and everything at once in the embedded server (`make run`)."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "telcox.settings")

http = get_asgi_application()

from telcox.common.daphne import allow_every_close_code  # noqa: E402 - needs the app registry
from telcox.common.sockets import with_session_same_origin  # noqa: E402
from usage.live.routing import websocket_router  # noqa: E402

allow_every_close_code()

application = ProtocolTypeRouter({"http": http, "websocket": with_session_same_origin(websocket_router)})
