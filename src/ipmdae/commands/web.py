"""The command ``ipmdae web``."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from ipmdae.console import complain, out
from ipmdae.termination import Terminated


def web(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")
    ] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this computer's open it to them.")
    ] = "127.0.0.1",
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
) -> None:
    """Serve a web page that denoises recordings in the browser, until Ctrl-C.

    The page shows them on ECG paper, before and after. They do not leave the browser: the server
    only gives out the page itself.
    """
    from ipmdae.commands.web_server import PageServer, page_files

    with PageServer(host, port, page_files()) as server:
        if not server.local:
            complain(
                "warning",
                f"other computers can reach {server.url}; their browsers keep no page offline, "
                "which takes HTTPS",
            )
        out.print(f"page at {server.url}; Ctrl-C ends it", markup=False)
        if open_page:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except Terminated:
            raise
        except KeyboardInterrupt as interrupted:  # the usual end of a server
            raise typer.Exit from interrupted
