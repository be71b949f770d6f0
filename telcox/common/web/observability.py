"""Request id, access log and metrics of requests."""

import logging
import re
import time
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Histogram

from telcox.common.logs import request_id

logger = logging.getLogger("telcox.access")

REQUESTS = Counter("telcox_http_requests_total", "HTTP requests answered", ["method", "route", "status"])
SECONDS = Histogram("telcox_http_request_seconds", "Time to answer an HTTP request, in seconds", ["route"])

_SAFE_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PROBES = frozenset({"healthz", "readyz", "metrics"})


class ObservabilityMiddleware:
    """Middleware that gives each request an id (or takes the proxy's), counts and times it, and logs it by
    route. It does not log the path, since a path contains a phone number.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        identifier = given if _SAFE_ID.fullmatch(given) else uuid.uuid4().hex
        token = request_id.set(identifier)
        started = time.perf_counter()
        try:
            response = self.get_response(request)
            self._record(request, response, time.perf_counter() - started)
        finally:
            request_id.reset(token)
        response["X-Request-ID"] = identifier
        return response

    def _record(self, request: HttpRequest, response: HttpResponse, seconds: float) -> None:
        route = request.resolver_match.route if request.resolver_match else "unmatched"
        method = request.method if request.method in _METHODS else "other"
        REQUESTS.labels(method, route, response.status_code).inc()
        SECONDS.labels(route).observe(seconds)
        if route not in _PROBES:
            logger.info(
                "%s %s %s",
                method,
                route,
                response.status_code,
                extra={"milliseconds": round(seconds * 1000, 2)},
            )
