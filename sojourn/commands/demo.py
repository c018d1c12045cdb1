"""`sojourn demo`: a collector with lively traffic, to look at."""

from __future__ import annotations

import argparse
import logging
import random
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from sojourn.commands import configuration
from sojourn.errors import ConfigError

if TYPE_CHECKING:
    from sojourn.collector.service import Service

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", metavar="PATH", help="keep the data there; without it, it is forgotten at the end")
    parser.add_argument("--seed", type=int, help="tell the same stories as another time")
    parser.add_argument("--sessions", type=int, default=8, metavar="N", help="how many stories are under way at any time (default: 8)")
    configuration.add_arguments(parser)


def execute(args: argparse.Namespace) -> int:
    from sojourn.commands.run import run

    if not 1 <= args.sessions <= 1000:
        raise ConfigError(f"sojourn demo: --sessions {args.sessions}: write a number from 1 to 1000")
    with ExitStack() as stack:
        directory = args.data_dir or stack.enter_context(tempfile.TemporaryDirectory(prefix="sojourn-demo-", ignore_cleanup_errors=True))
        args.settings = [f"service.data_dir={directory}", *args.settings]
        seed = args.seed if args.seed is not None else random.SystemRandom().randrange(2**32)
        return run(configuration.description(args), lambda service: traffic(service, seed, args.sessions))


@contextmanager
def traffic(service: Service, seed: int, sessions: int) -> Iterator[None]:
    """Stories are told to the running collector while the block runs."""
    from sojourn.demo.player import Sender, agenda, play
    from sojourn.demo.stories import stories

    address = service.endpoints.get("otlp_http")
    if address is None:
        raise ConfigError("sojourn demo: no receiver takes OTLP over HTTP: add receivers::otlp::protocols::http")
    stop = threading.Event()
    entries = agenda(stories(seed), past=12, at_once=sessions)
    arguments = (entries, Sender(address, stop), service.host.clock.now, stop)
    thread = threading.Thread(target=play, args=arguments, name="demo", daemon=True)
    thread.start()
    page = f"{service.urls()['web']}/" if "web" in service.endpoints else "no page is configured"
    log.info("demo: sessions are under way (--seed %d tells the same again); look at %s", seed, page)
    try:
        yield
    finally:
        stop.set()
        thread.join(15)
