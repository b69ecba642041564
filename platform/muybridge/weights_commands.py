"""The commands `muybridge weights …`: what the models need, where it is, and how to get it here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from muybridge import published
from muybridge.errors import WeightsError
from muybridge.published import FILES, File, known
from muybridge.terminal import bars, console, told

app = typer.Typer(
    no_args_is_help=True, help="List, fetch, convert and verify the published files of models."
)

# fmt: off
Given = Annotated[Path, typer.Argument(help="A model file of any kind that is published.")]
Name = Annotated[str | None, typer.Option(help="Which weights it holds; default: by its name.")]
# fmt: on


@app.command("list")
def lists() -> None:
    """Name the weights of every model: how large, on what terms, and whether they are here."""
    from muybridge.answers import show

    shown = Table(box=None, pad_edge=False, header_style="")
    for title in ("name", "model", "size", "licence", "here"):
        shown.add_column(title)
    for file in FILES.values():
        licence = file.licence + (" (to accept)" if file.terms and file.urls else "")
        shown.add_row(file.name, file.model, published.size(file.bytes), licence, _here(file))
    show(shown)
    console.print(f"kept in {published.folder()}; get one with: muybridge weights fetch NAME")
    console.print("what is got by hand, and where it is put, says: muybridge weights path NAME")


@app.command()
def path(name: Annotated[str, typer.Argument(help="The weights' name.")]) -> None:
    """Print where a file is on this machine, or where to put it by hand."""
    with told():
        file = known(name)
        print(file.there or file.cached)
        if not file.here and file.urls:
            typer.echo(f"it is not there yet; it is published at {file.urls[0]}", err=True)
        elif not file.here:
            typer.echo(f"it is not there yet; {file.place}", err=True)


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(help="The weights' names.")],
    accept_licence: Annotated[
        bool,
        typer.Option(
            "--accept-licence",
            envvar="MUYBRIDGE_ACCEPT_LICENCE",
            help="Accept the terms of the files, where there are any.",
        ),
    ] = False,
) -> None:
    """Fetch published files and convert them. What broke off is gone on with."""
    with told():
        files = [known(name) for name in names]
        from muybridge import weights

        with bars() as report:
            weights.provide(names, accept=accept_licence, report=report)
        for file in files:
            console.print(f"{file.name}: {file.converted}")


@app.command()
def convert(
    file: Given,
    name: Name = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Default: NAME.safetensors.")
    ] = None,
) -> None:
    """Write the tensors of a file as safetensors, with the file's sha256, if they fit the model."""
    with told():
        from muybridge import weights

        name = name or weights.named(file)
        target = output or Path(f"{name}.safetensors")
        seen = weights.export(file, name, target)
        console.print(f"{target}: {len(seen.tensors)} tensors of {name}, sha256 {seen.sha256}")


@app.command()
def verify(file: Given, name: Name = None) -> None:
    """Say what a file is, whether it is the published one, and whether it fits the model."""
    with told():
        from muybridge import weights

        name = name or weights.named(file)
        seen = weights.examine(file, name)
        numbers = sum(tensor.numel() for tensor in seen.tensors.values())
        console.print(f"kind     {seen.kind}")
        console.print(f"sha256   {seen.sha256} ({seen.said})")
        console.print(f"tensors  {len(seen.tensors):,}, {numbers:,} numbers, all finite")
        if not seen.misfit:
            console.print(f"fits     {name} exactly")
        if faults := [fault for fault in (seen.other, seen.misfit) if fault]:
            raise WeightsError("\n".join(faults))


def _here(file: File) -> str:
    if file.there == file.converted:
        return "converted"
    return "yes" if file.here else "by hand" if not file.urls else "no"
