from channels.routing import URLRouter

websocket_router = URLRouter([])
