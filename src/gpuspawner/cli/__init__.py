"""The ``gpuspawner`` command."""

from __future__ import annotations

import json
import sys

import click

from gpuspawner._version import __version__
from gpuspawner.catalog import json_schema
from gpuspawner.cli.capacity import capacity
from gpuspawner.cli.explain import explain
from gpuspawner.cli.rbac import rbac
from gpuspawner.cli.snapshot import snapshot
from gpuspawner.cli.validate import validate
from gpuspawner.cli.verdict import verdict


@click.group()
@click.version_option(__version__)
def main() -> None:
    """Who may start which GPU profile on a JupyterHub, and what fits right now."""


main.add_command(capacity)
main.add_command(explain)
main.add_command(rbac)
main.add_command(snapshot)
main.add_command(validate)
main.add_command(verdict)


@main.command()
def schema() -> None:
    """Print the catalog's JSON Schema, for editors."""
    click.echo(json.dumps(json_schema(), indent=2))


@main.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="If it is taken, another one is found.",
)
@click.option("--password", default=None, help="To sign in with; a random one if left out.")
@click.option("--example", default="campus-a100", show_default=True, help="Its name, or a folder.")
@click.option("--still", is_flag=True, help="Other people's pods stay as they are.")
def demo(port: int, password: str | None, example: str, still: bool) -> None:  # noqa: FBT001 - click's way
    """Run a real JupyterHub on an embedded cluster, on this machine only, until Ctrl-C."""
    try:
        import configurable_http_proxy  # noqa: F401, PLC0415 - which the demo runs

        from gpuspawner.cli.demo import Options, run  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"the demo needs {error.name}: python3 -m pip install 'gpuspawner[demo]'"
        ) from error
    sys.exit(run(example, Options(port=port, password=password, still=still)))
