"""Serve the site: one server process, and queue processes that analyse uploads and are restarted if they die."""

import multiprocessing
import signal
import threading
from contextlib import suppress
from multiprocessing.context import SpawnProcess

from genreatlas.config import Config
from genreatlas.errors import ConfigError
from genreatlas.web.published import Site

_LOOK_S = 1.0


def serve(config: Config) -> None:
    """Serve until SIGTERM or Control-C.

    Raises
    ------
    StoreError : no extract was published.
    ConfigError : the port cannot be opened.
    """
    import uvicorn

    from genreatlas.web.app import create_app

    section = config.web
    _ = Site(section.path).extract
    app = create_app(config)
    ended = threading.Event()
    keeper = threading.Thread(target=_keep, args=(config, ended), daemon=True)
    keeper.start()
    settings = uvicorn.Config(
        app,
        host=section.host,
        port=section.port,
        proxy_headers=bool(section.trusted_proxies),
        forwarded_allow_ips=list(section.trusted_proxies) or "",
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=20,
        lifespan="on",
    )
    server = uvicorn.Server(settings)
    # After its shutdown uvicorn raises the signal again, which would end this process before its queues are ended.
    signal.signal(signal.SIGTERM, lambda *_: None)
    print(f"{section.title}: http://{section.host}:{section.port}/ (stop with Control-C)", flush=True)
    try:
        server.run()
    except SystemExit:
        raise ConfigError(f"web.port = {section.port}: the port cannot be opened. Set another port.") from None
    except KeyboardInterrupt:
        pass
    finally:
        ended.set()
        keeper.join()


def _keep(config: Config, ended: threading.Event) -> None:
    """Keep ``web.queue_workers`` queue processes running until ``ended`` is set."""
    from genreatlas.web.queue import work_through

    context = multiprocessing.get_context("spawn")  # a fork would copy the server's threads and sockets
    running: list[SpawnProcess] = []
    while not ended.is_set():
        running = [one for one in running if one.is_alive()]
        while len(running) < config.web.queue_workers:
            process = context.Process(target=work_through, args=(config,), daemon=False)
            process.start()
            running.append(process)
        ended.wait(_LOOK_S)
    for process in running:
        process.terminate()
    for process in running:
        process.join(10)
        if process.is_alive():
            with suppress(OSError):
                process.kill()
