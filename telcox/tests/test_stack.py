"""Production's processes behind their proxy, as `make stack` and the compose file start them."""

import http.client
import json
from collections.abc import Iterator

import pytest

from telcox.testing.servers import MariaDB, Redis
from telcox.testing.stack import Stack, production_env

pytestmark = [pytest.mark.processes, pytest.mark.mariadb, pytest.mark.redis]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with MariaDB() as mariadb, Redis() as redis:
        env = production_env(mariadb.url, redis.url)
        with Stack(env | {"WEB_WORKERS": "2"}, worker=1, beat=1) as running:
            yield running


def ask(port: int, path: str, method: str = "GET", **request: object) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, **request)  # type: ignore[arg-type]
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.getheaders()}


def test_everything_behind_the_proxy_is_ready(stack: Stack) -> None:
    status, body, _ = ask(stack.proxy.port, "/readyz")
    assert (status, json.loads(body)["status"]) == (200, "ready")
    assert ask(stack.proxy.port, "/ws/nothing")[0] == 404  # answered by `live`
    assert ask(stack.proxy.port, "/admin/login/")[0] == 200


def test_every_process_is_named_with_its_pid_and_its_port_if_it_has_one(stack: Stack) -> None:
    state = stack.state()
    named = [state["proxy"], *state["web"], *state["live"], *state["worker"], *state["beat"]]
    assert [place["pid"] for place in named] == [process.pid for process in stack.processes]
    assert all(process.running for process in stack.processes)
    assert ["port" in place for place in named] == [True] * 5 + [False] * 2


def test_metrics_are_for_the_inside_and_count_for_all_workers_of_an_address(stack: Stack) -> None:
    assert ask(stack.proxy.port, "/metrics")[0] == 404
    port = stack.web[0].port
    for _ in range(10):
        ask(port, "/healthz")
    counts = {
        line.rpartition(" ")[2]
        for _ in range(10)
        for line in ask(port, "/metrics")[1].splitlines()
        if 'route="healthz"' in line and line.startswith("telcox_http_requests_total")
    }
    assert len(counts) == 1
    assert float(counts.pop()) >= 10


def test_a_body_that_is_far_too_large_is_a_problem_and_not_read(stack: Stack) -> None:
    body = b"x" * 10_000_000
    try:
        status, text, headers = ask(stack.proxy.port, "/api/dev/usage-event", "POST", body=body)
    except (BrokenPipeError, ConnectionResetError):
        pytest.skip("the proxy had closed before the whole body was sent")
    assert (status, json.loads(text)["status"]) == (413, 413)
    assert headers["content-type"] == "application/problem+json"


def test_the_request_id_is_the_proxys_own(stack: Stack) -> None:
    _, _, headers = ask(stack.proxy.port, "/healthz", headers={"X-Request-ID": "chosen-by-a-stranger"})
    assert len(headers["x-request-id"]) == 32


def test_one_web_process_less_is_not_noticed(stack: Stack) -> None:
    stack.web[1].kill()
    try:
        assert {ask(stack.proxy.port, "/readyz")[0] for _ in range(20)} == {200}
        # Not even by who posts: where nobody accepted the connection, nothing was carried out.
        answers = {ask(stack.proxy.port, "/api/dev/usage-event", "POST", body=b"{}")[0] for _ in range(20)}
        assert answers == {401}  # there is no login here
    finally:
        stack.web[1].start()


def test_no_web_process_at_all_is_a_problem_worth_a_retry(stack: Stack) -> None:
    for web in stack.web:
        web.stop()
    try:
        status, text, headers = ask(stack.proxy.port, "/readyz")
        assert (status, json.loads(text)["title"]) == (503, "Service Unavailable")
        assert headers["retry-after"] == "1"
    finally:
        for web in stack.web:
            web.start()
