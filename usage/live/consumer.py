"""One socket of the live feed: `WS /ws/usage?phone_number=0969786985`."""

import json
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.utils import timezone

from customers.models import Line
from telcox.common.database.retrying import DATABASE_UNAVAILABLE
from telcox.common.errors import NotFound
from telcox.common.phone import InvalidPhoneNumber, national_number
from telcox.common.sockets.daphne import outlet_of, text_frame
from telcox.common.sockets.stopping import retry_hint
from telcox.common.sockets.who import Receive, Scope, Send, user_of
from telcox.common.web.permissions import sees_everything
from usage.live.frames import NOTHING, State, alert_frame, state_of
from usage.live.hub import TooManySockets, current_hub
from usage.periods import Alert
from usage.reading import NO_PLAN, WatchedLine, watched_line

NORMAL, POLICY_VIOLATION, TRY_AGAIN_LATER = 1000, 1008, 1013

PHONE_NUMBER_NEEDED = "phone_number es requerido y debe tener al menos 5 caracteres"
NOT_A_PHONE_NUMBER = "phone_number debe ser un número de teléfono"
NOT_NOW = "El servicio no está disponible, intente más tarde"
TOO_MANY_SOCKETS = "Hay demasiadas conexiones abiertas, intente más tarde"
TOO_MANY_OF_THE_LINE = "Esta línea tiene demasiadas conexiones abiertas, cierre alguna o intente más tarde"
TOO_MANY_MESSAGES = "Demasiados mensajes en poco tiempo"
TEXT_ONLY = "Solo se admiten mensajes de texto"

NOOP = text_frame(json.dumps({"type": "noop"}))


class SocketRefused(Exception):
    """The socket gets an error message and is closed."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.message, self.code = message, code


class UsageConsumer(AsyncWebsocketConsumer):
    """Consumer that sends the line's state at once and after each change; to a slow socket, only the newest
    state. After a state it sends the alerts that were raised since the socket was opened."""

    # No channel for each socket: the process has one for all of them (see the hub).
    channel_layer_alias = ""

    def __init__(self) -> None:
        super().__init__()
        self.phone_number = ""
        self._newest = NOTHING
        self._alerts: tuple[Alert, ...] = ()
        # Frames that wait for the reader: the newest state, and all alerts. A period has at most nine, and
        # again those that usage reached again after a pack.
        self._waiting: bytes | None = None
        self._untold: tuple[bytes, ...] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:  # also when cancelled: the server cancels handshakes that take too long
            if self.phone_number:
                current_hub().unwatch(self.phone_number, self)

    async def connect(self) -> None:
        self._outlet = outlet_of(self.scope)
        self._outlet.on_clear = self._send_waiting
        self._outlet.on_flood = lambda: self._refuse(SocketRefused(TOO_MANY_MESSAGES, POLICY_VIOLATION))
        await self.accept()
        try:
            current_hub().require_room()
            self.phone_number = _phone_number(self.scope["query_string"])
            await _require_visible(self.phone_number, self.scope)
            # Alerts from before the socket was opened are not sent.
            self._alerts = (await self._read()).alerts
            # Subscribe first, then read the state: a change in between arrives twice instead of never.
            await current_hub().watch(self.phone_number, self)
            self.offer(state_of(await self._read()))
        except SocketRefused as refused:
            self._refuse(refused)
        except NotFound:
            self._refuse(SocketRefused(NO_PLAN, NORMAL))
        except TooManySockets as crowd:
            sentence = TOO_MANY_OF_THE_LINE if crowd.of_line else TOO_MANY_SOCKETS
            self._refuse(SocketRefused(sentence, TRY_AGAIN_LATER))
        except DATABASE_UNAVAILABLE:
            self._refuse(SocketRefused(NOT_NOW, TRY_AGAIN_LATER))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data is None:
            self._send_error(TEXT_ONLY)
        else:
            self._outlet.write(NOOP)

    def offer(self, state: State) -> None:
        """Take a state from the hub. A state that is not newer is dropped; a state that waits for the reader
        is replaced, and its alerts are added to the waiting ones."""
        if state.revision <= self._newest:
            return
        self._newest = state.revision
        self._waiting = state.frame
        if state.alerts != self._alerts:
            news = (alert for alert in state.alerts if alert not in self._alerts)
            self._untold += tuple(alert_frame(self.phone_number, alert) for alert in sorted(news))
            self._alerts = state.alerts
        if not self._outlet.clogged:
            self._send_waiting()

    def _send_waiting(self) -> None:
        if self._waiting:
            self._outlet.write(self._waiting)
            self._waiting = None
        if self._untold:
            self._outlet.write(b"".join(self._untold))
            self._untold = ()

    async def _read(self) -> WatchedLine:
        return await database_sync_to_async(watched_line)(phone_number=self.phone_number, at=timezone.now())

    def _refuse(self, refused: SocketRefused) -> None:
        self._send_error(refused.message)
        self._outlet.close(refused.code, retry_hint() if refused.code == TRY_AGAIN_LATER else "")

    def _send_error(self, message: str) -> None:
        self._outlet.write(text_frame(json.dumps({"type": "error", "message": message}, ensure_ascii=False)))


def _phone_number(query_string: bytes) -> str:
    given = parse_qs(query_string.decode("latin1")).get("phone_number", [""])[0]
    if len(given) < 5:
        raise SocketRefused(PHONE_NUMBER_NEEDED, POLICY_VIOLATION)
    try:
        return national_number(given)
    except InvalidPhoneNumber as error:
        raise SocketRefused(NOT_A_PHONE_NUMBER, POLICY_VIOLATION) from error


async def _require_visible(phone_number: str, scope: Scope) -> None:
    """Raise NotFound for another customer's line, so that callers cannot find out that it exists."""
    if settings.API_OPEN:
        return
    user = await user_of(scope)
    lines = Line.objects.visible_to(user).filter(phone_number=phone_number)
    if not sees_everything(user) and not await database_sync_to_async(lines.exists)():
        raise NotFound(NO_PLAN)
