"""`sojourn print-config`: the configuration as it is understood: merged, references replaced, secrets left out."""

from __future__ import annotations

import argparse
import json
from typing import Any

from pydantic import BaseModel

from sojourn.commands import configuration
from sojourn.config.model import KINDS, Description


def configure(parser: argparse.ArgumentParser) -> None:
    configuration.add_arguments(parser)
    parser.add_argument("--format", choices=("yaml", "json"), default="yaml", help="how to print it (yaml)")


def execute(args: argparse.Namespace) -> int:
    description = configuration.description(args)
    configuration.warn(description)
    tree = printable(description)
    if args.format == "json":
        print(json.dumps(tree, indent=2, ensure_ascii=False))
    else:
        import yaml

        print(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=140), end="")
    return 0


def printable(description: Description) -> dict[str, Any]:
    """The keys that were written, with values that can be read again; secrets are `<redacted>`."""
    tree: dict[str, Any] = {}
    for kind in KINDS:
        section: dict[str, Any] = {}
        for id_, component in description.section(kind).items():
            type_ = description.type_of(kind, id_)
            own = {} if type_ == id_.partition("/")[0].strip() else {"type": type_}
            section[id_] = own | _written(component)
        if section:
            tree[kind] = section
    return tree | {"service": _written(description.service)}


def _written(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_unset=True, by_alias=True)
