"""The sample diagnosis of `make run`, a client of the public API and the WebSocket."""

import asyncio
import contextlib
import json
import uuid
from datetime import datetime
from typing import Any

import httpx
import structlog
import websockets
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from diagnosis.choices import UNFINISHED_STATUSES
from diagnosis.demo.workspace import seed_demo_workspace
from diagsite.accounts.users import get_or_create_terminal_user
from diagsite.cli.progress_display import (
    ProgressDisplay,
    create_console,
    get_status_label,
    print_report,
)
from errors.terminal import get_terminal_language
from performance.client_metrics import measure_call

log = structlog.get_logger(__name__)

SAMPLE_REQUEST = {
    "brand": "山岚",
    "competitors": [{"name": "云栖壶"}, {"name": "木石坊"}, {"name": "Kettlewood"}],
    "questions": [
        "入门手冲咖啡壶推荐哪个牌子？",
        "送朋友的手冲壶套装怎么选？",
        "500 元以内的手冲咖啡器具有哪些好选择？",
    ],
    "platforms": ["demo-fast", "demo-slow", "demo-flaky"],
    "repeats": 2,
}
# The server refuses the client with these close codes; after any other the client reconnects.
_MIN_REFUSAL_CODE, _MAX_REFUSAL_CODE = 4400, 4499


class SampleError(Exception):
    """The sample cannot continue; the text is shown to the user."""


class SampleDiagnosis:
    """The terminal output of `make run`."""

    def __init__(self, device_id: str) -> None:
        """device_id: signs in; the printed URLs contain it, so that the browser shows the same diagnoses."""
        self._device_id = device_id
        self._console = create_console()
        self._language = get_terminal_language(settings.LANGUAGE_CODE)

    async def run(self, port: int) -> None:
        """Sign in, start the sample, follow it on a socket, print its report and the URLs of the site."""
        base_url = f"http://127.0.0.1:{port}"
        with translation.override(self._language):
            try:
                headers = {"Accept-Language": self._language}
                async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=30, trust_env=False) as http:
                    await self._run(http, base_url)
            except Exception as error:
                log.exception("sample_failed")
                reason = str(error) if isinstance(error, SampleError) else type(error).__name__
                message = _("示例诊断没有完成（%(error)s），网站仍在运行。") % {"error": reason}
                self._console.print(message, style="yellow")
            admin = _("%(url)s（账号：.venv/bin/python manage.py createsuperuser）") % {"url": f"{base_url}/admin/"}
            self._print_field(_("首页"), f"{base_url}/#device={self._device_id}")
            self._print_field("API", f"{base_url}/api/docs")
            self._print_field(_("后台"), admin)
            if settings.LOG_FILE:
                self._print_field(_("日志"), settings.LOG_FILE)
            self._console.print("\n" + _("按 Ctrl-C 停止。"))

    def print_stopping(self) -> None:
        """Print that the site stops after a first Ctrl-C."""
        with translation.override(self._language), contextlib.suppress(OSError):  # the terminal may be gone
            self._console.print("\n" + _("正在停止…（再按一次 Ctrl-C 立即停止）"))

    async def _run(self, http: httpx.AsyncClient, base_url: str) -> None:
        if not settings.DEMO:
            raise SampleError("DEMO=0")
        token = (await _request_json(http, "POST", "/api/session", json={"device_id": self._device_id}))["token"]
        http.headers["Authorization"] = f"Bearer {token}"
        previous = (await _request_json(http, "GET", "/api/diagnoses"))["items"]
        if previous:
            when = f"{timezone.localtime(datetime.fromisoformat(previous[0]['created_at'])):%Y-%m-%d %H:%M}"
            template = _("找到之前的诊断，最近一次：%(when)s（%(status)s）")
            self._console.print(template % {"when": when, "status": get_status_label(previous[0]["status"])})
        unfinished = sum(item["status"] in UNFINISHED_STATUSES for item in previous)
        if unfinished:
            self._console.print(_("其中 %(count)s 个没有完成，正在继续。") % {"count": unfinished})
        key = {"Idempotency-Key": uuid.uuid4().hex}
        accepted = await _request_json(http, "POST", "/api/diagnoses", json=SAMPLE_REQUEST, headers=key)
        # While the sample waits for its answers.
        seeding = asyncio.create_task(sync_to_async(_seed_demo_workspace, thread_sensitive=False)())
        socket_url = f"{base_url.replace('http', 'ws', 1)}{accepted['socket_url']}"
        with ProgressDisplay(self._console, _("示例诊断（演示）")) as bar:
            await _follow_stream(socket_url, token, bar)
        print_report(self._console, await _request_json(http, "GET", f"/api/diagnoses/{accepted['id']}/report"))
        self._print_field(_("报告"), f"{base_url}/diagnoses/{accepted['id']}/#device={self._device_id}", before="\n")
        workspace = await seeding
        if workspace:
            self._print_field(_("演示品牌"), f"{base_url}/w/{workspace}/#device={self._device_id}")

    def _print_field(self, name: str, value: str, *, before: str = "") -> None:
        self._console.print(f"{before}{name}: {value}", soft_wrap=True)


def _seed_demo_workspace() -> uuid.UUID | None:
    """Return the id of the terminal's demo workspace, whose runs are created at the first start."""
    workspace = seed_demo_workspace(get_or_create_terminal_user())
    connections.close_all()
    return workspace.pk if workspace else None


async def _request_json(http: httpx.AsyncClient, method: str, path: str, **options: Any) -> dict[str, Any]:
    with measure_call("sample"):
        response = await http.request(method, path, **options)
    body: dict[str, Any] = response.json()
    if response.is_error:
        raise SampleError(f"{body['title']}: {body.get('fields') or body['detail']}")
    return body


async def _follow_stream(socket_url: str, token: str, bar: ProgressDisplay) -> None:
    """Follow the stream to its end; resume after a lost connection."""
    after, epoch = 0, None
    with measure_call("sample.socket"):
        async for socket in websockets.connect(socket_url, proxy=None):
            try:
                hello = {"type": "hello", "v": 1, "token": token, "after": after, "epoch": epoch}
                await socket.send(json.dumps(hello))
                async for text in socket:
                    frame = json.loads(text)
                    if frame["type"] == "welcome":
                        epoch = frame["epoch"]
                    elif frame["type"] == "ping":
                        await socket.send(json.dumps({"type": "pong", "nonce": frame["nonce"]}))
                    elif frame["type"] == "events":
                        after = frame["e"][-1][0]
                        if bar.show_events(frame["e"]):
                            return
            except websockets.ConnectionClosed as error:
                code = error.rcvd.code if error.rcvd else 1006
                if _MIN_REFUSAL_CODE <= code <= _MAX_REFUSAL_CODE:
                    raise SampleError(f"WebSocket {code}") from error
