"""One HTTP request to an external system, with an answer that is limited in time and size."""

import time
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, ReadTimeoutError

# Far above the size of any expected answer, in bytes.
ANSWER_MAX = 64 * 1024


class AnswerTooLong(HTTPError):
    pass


def exchange(
    pool: urllib3.PoolManager, method: str, url: str, *, deadline: float, **request: Any
) -> tuple[int, bytes]:
    """Return status and body of the answer, which must be complete by `deadline` (of time.monotonic()).

    It sends one request and follows no redirect. The connection is kept if the answer was read to its end.
    Raise urllib3's errors, AnswerTooLong among them.
    """
    response = pool.request(
        method,
        url,
        timeout=max(0.001, deadline - time.monotonic()),
        retries=False,
        redirect=False,
        preload_content=False,
        **request,
    )
    try:
        body = b""
        while chunk := response.read1(ANSWER_MAX):
            body += chunk
            if len(body) > ANSWER_MAX:
                raise AnswerTooLong
            # The socket's time-out starts again with each byte that arrives; the deadline does not.
            if time.monotonic() > deadline:
                raise ReadTimeoutError(None, url, "the answer arrives too slowly")  # type: ignore[arg-type]
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return response.status, body
