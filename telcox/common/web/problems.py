"""Error answers: `application/problem+json` (RFC 9457).

`detail` has the sentence that the original program gives. A validation error is 422 and adds `errors`, each
with the `type`, `loc` and `msg` that the original gives.
"""

import sys
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions

from telcox.common.database.retrying import DATABASE_UNAVAILABLE
from telcox.common.errors import DomainError, InvalidInput, TooBusy

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = "1"

# Names of DRF's validation errors, and the names that the original has for them.
_ERROR_TYPES = {
    "required": "missing",
    "null": "null",
    "min_length": "string_too_short",
    "max_length": "string_too_long",
    "invalid_choice": "enum",
    "min_value": "greater_than_equal",
    "max_value": "less_than_equal",
}


def problem_document(status: int, detail: str | None = None, **members: Any) -> dict[str, Any]:
    """Return the document; `detail` defaults to the phrase of the status."""
    phrase = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": phrase, "status": status, "detail": detail or phrase, **members}


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """Return a view's exception as a problem (a hook of DRF), or None: then it becomes a 500 and is logged.

    The answer is JSON whatever the view itself renders: the pages of the API document are HTML.
    """
    headers: dict[str, str] = {}
    match exc:
        case InvalidInput():
            body = problem_document(422, exc.detail, errors=exc.errors)
        case DomainError():
            body = problem_document(exc.status, exc.detail, reason=exc.reason)
            if isinstance(exc, TooBusy):
                headers["Retry-After"] = RETRY_AFTER_SECONDS
        case exceptions.ValidationError():
            errors = list(_flatten(exc.get_full_details(), ("body",)))
            body = problem_document(422, _sentence(errors), errors=errors)
        case exceptions.APIException():
            # DRF's own sentences are translated. The API has one language, so `detail` is the phrase of the
            # status.
            body = problem_document(exc.status_code)
            if authenticate := getattr(exc, "auth_header", None):
                headers["WWW-Authenticate"] = authenticate
            if wait := getattr(exc, "wait", None):
                headers["Retry-After"] = str(round(wait))
        case Http404():
            body = problem_document(404)
        case PermissionDenied():
            body = problem_document(403)
        case _ if isinstance(exc, DATABASE_UNAVAILABLE):
            body = problem_document(503, "The database is not reachable")
            headers["Retry-After"] = RETRY_AFTER_SECONDS
        case _:
            return None
    return JsonResponse(body, status=body["status"], headers=headers, content_type=CONTENT_TYPE)


def _flatten(details: Any, loc: tuple[str | int, ...]) -> Iterator[dict[str, Any]]:
    """Yield the errors as a flat list, each with its place, as the original does; DRF nests them like the
    data."""
    if (
        isinstance(details, Mapping)
        and {"message", "code"} == set(details)
        and isinstance(details["code"], str)
    ):
        code = details["code"]
        yield {"type": _ERROR_TYPES.get(code, code), "loc": list(loc), "msg": str(details["message"])}
    elif isinstance(details, Mapping):
        for key, value in details.items():
            yield from _flatten(value, loc if key == "non_field_errors" else (*loc, key))
    else:
        for value in details:
            yield from _flatten(value, loc)


def _sentence(errors: list[dict[str, Any]]) -> str:
    return "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in errors)


def _answer(status: int, detail: str | None = None, **headers: str) -> JsonResponse:
    return JsonResponse(
        problem_document(status, detail), status=status, content_type=CONTENT_TYPE, headers=headers
    )


def bad_request(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    return _answer(400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    return _answer(403)


@csrf_exempt  # it does nothing that could be forged
def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    return _answer(404)


def server_error(request: HttpRequest) -> JsonResponse:
    """Answer 500. Django calls this while the exception is handled: if the database is away, the answer is
    503."""
    if isinstance(sys.exception(), DATABASE_UNAVAILABLE):
        return _answer(503, "The database is not reachable", **{"Retry-After": RETRY_AFTER_SECONDS})
    return _answer(500)
