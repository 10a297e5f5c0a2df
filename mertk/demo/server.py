"""The server of the page, on this machine alone unless told otherwise; what visitors gave is deleted at its end."""

from __future__ import annotations

import errno
import ipaddress
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mertk.demo.turns import Turns
from mertk.errors import MertkError
from mertk.installing import installing_extra
from mertk.screen import tell

if TYPE_CHECKING:
    from gradio import Blocks

#: what a browser may fetch for the page: what this server gives, and what the page holds itself
CONTENT_POLICY = "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'"
#: for an answer that is under way when the program is to end
_PATIENCE_SECONDS = 30
#: bytes, as the page counts them when it refuses a file
_MEGABYTE = 2**20


@dataclass(frozen=True)
class Place:
    """Where the page is served.

    Attributes:
        host: name or address of an interface of this machine.
        share: whether to ask Gradio for a public address, too.
    """

    host: str
    port: int
    share: bool = False

    @property
    def is_local(self) -> bool:
        """Whether this machine alone can reach it."""
        try:
            own = self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            own = False
        return own and not self.share

    def check(self) -> None:
        """Refuse a place that cannot be served from, before the work.

        Raises:
            MertkError: the port is taken or not allowed, or there is no such interface.
        """
        try:
            family, kind, number, _, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind, number) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                told = f"port {self.port} of {self.host} is taken, by another demo perhaps; give another, --port"
                raise MertkError(f"{told} {self.port + 1 if self.port < 65535 else 7860}.") from error
            told = f"{self.host}, port {self.port}: cannot be served from ({error.strerror or error})"
            raise MertkError(f"{told}; give an address of this machine, and a port above 1023.") from error


def check_gradio() -> None:
    """
    Raises:
        MertkError: the package that makes the page is not installed.
    """
    if find_spec("gradio") is None:
        raise MertkError(f"the page is made by the package gradio, which is not installed; {installing_extra('demo')}")


def serve(build: Callable[[Turns], Blocks], style: str, place: Place, most_megabytes: int) -> None:
    """Serve the page until the program is asked to end, by Ctrl-C or SIGTERM, which raise as they do elsewhere.

    Args:
        build: makes the page, which computes in turns.
        style: style sheet of what the page does not style itself.
        most_megabytes: of a file that is uploaded.

    Raises:
        MertkError: the place was taken meanwhile, or no public address is to be had.
    """
    signal.signal(signal.SIGTERM, _end)
    with tempfile.TemporaryDirectory(prefix="mertk_demo_") as folder:
        tempfile.tempdir = folder  # what a thread that is ended does not delete is deleted with it
        # Looked at when gradio is imported, and when a component is made.
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": folder}
        page = build(turns := Turns())
        address = _launch(page, style, place, most_megabytes)
        if not place.is_local:
            told = "the page can be reached from other machines; whoever has its address can use the models"
            tell(f"note: {told}")
        print(f"{address}  (Ctrl-C ends it)", flush=True)
        try:
            threading.Event().wait()
        finally:  # the threads that serve end with the program
            turns.close(_PATIENCE_SECONDS)


def _launch(page: Blocks, style: str, place: Place, most_megabytes: int) -> str:
    """The address of the page, which is served by other threads."""
    import gradio

    fonts = ("system-ui", "sans-serif"), ("ui-monospace", "monospace")
    try:
        page.launch(
            server_name=place.host,
            server_port=place.port,
            share=place.share,
            theme=gradio.themes.Default(font=fonts[0], font_mono=fonts[1]),
            css=style,
            max_file_size=most_megabytes * _MEGABYTE,
            app_kwargs={"middleware": [(_KeptInside, (), {})]},  # class and arguments, as Starlette goes through them
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            mcp_server=False,
            ssr_mode=False,
            pwa=False,
            prevent_thread_lock=True,
            show_error=True,
            quiet=True,
        )
    except OSError as error:
        place.check()
        raise MertkError(f"the page cannot be served: {error}") from error
    if place.share and not page.share_url:
        raise MertkError("no public address is to be had from Gradio, see above; leave --share out.")
    return page.share_url or page.local_url


def _end(number: int, _: Any) -> None:
    raise SystemExit(128 + number)


class _KeptInside:
    """Tells browsers with every answer to fetch nothing from elsewhere."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", CONTENT_POLICY.encode())]
            await send(message)

        await self._app(scope, receive, send_with_policy)
