"""Authentication of WebSockets, and the check of the page that opened them."""

from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from typing import Any
from urllib.parse import SplitResult, urlsplit

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.security.websocket import OriginValidator, WebsocketDenier
from channels.sessions import CookieMiddleware
from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from telcox.common.web.authentication import user_of_token

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def _header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin1") for key, value in scope["headers"] if key == name), None)


class SameOriginValidator(OriginValidator):
    """Check of the `Origin` header: pages of ALLOWED_HOSTS and of CORS_ALLOWED_ORIGINS may connect, and
    programs, which send no origin.

    A browser sends its cookies with the requests of any page; a program only has the cookies it was given.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            _ = urlsplit(_header(scope, b"origin") or "").port
        except ValueError:
            return await WebsocketDenier()(scope, receive, send)
        return await super().__call__(scope, receive, send)

    def valid_origin(self, parsed_origin: SplitResult | None) -> bool:
        return parsed_origin is None or self.validate_origin(parsed_origin)


async def user_of(scope: Scope) -> Any:
    """Return the user of the token (`Authorization: Token …`, as on REST) or session; anonymous without
    either.

    Called by the consumer and not in a middleware, so that the consumer can report that the database is away:
    in the handshake that would be a 500.
    """
    scheme, _, key = (_header(scope, b"authorization") or "").partition(" ")
    if scheme.lower() == "token":
        return await database_sync_to_async(user_of_token)(key.strip()) or AnonymousUser()
    # Read here and not by Channels' SessionMiddleware, which checks for every frame sent whether the session
    # has to be saved: an eighth of the cost of sending a frame.
    sessions = import_module(settings.SESSION_ENGINE)
    session = sessions.SessionStore(scope["cookies"].get(settings.SESSION_COOKIE_NAME))
    return await get_user({**scope, "session": session})


def of_own_pages(inner: Application) -> Any:
    """Wrap an application so that only SameOriginValidator's pages and programs reach it, with their cookies
    parsed."""
    allowed = [*settings.ALLOWED_HOSTS, *settings.CORS_ALLOWED_ORIGINS]
    return SameOriginValidator(CookieMiddleware(inner), allowed)
