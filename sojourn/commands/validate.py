"""`sojourn validate`: everything that is wrong with a configuration, before it runs anywhere."""

from __future__ import annotations

import argparse

from sojourn.commands import configuration


def configure(parser: argparse.ArgumentParser) -> None:
    configuration.add_arguments(parser)


def execute(args: argparse.Namespace) -> int:
    description = configuration.description(args)
    configuration.warn(description)
    service = description.service
    parts = f"{len(service.pipelines)} pipelines in {len(description.lanes())} lanes, {len(service.extensions)} extensions"
    print(f"the configuration is right: {parts}")
    return 0
