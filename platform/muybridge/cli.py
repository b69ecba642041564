"""The command line: `muybridge index VIDEOS --out OUT`, and what one does with the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import rich.box
import rich.markup
import rich.progress
import rich.table
import typer
from rich.console import Console

from muybridge import progress, weights_commands
from muybridge.errors import InputError
from muybridge.run.report import Summary
from muybridge.terminal import RESUMED, bars, console, told

if TYPE_CHECKING:
    from muybridge.graphs import Choice
    from muybridge.render.overlay import Show

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Turn collections of video into tables about the people in them.",
)
evaluate = typer.Typer(no_args_is_help=True, help="Measure how good the answers are.")
app.add_typer(evaluate, name="evaluate")
app.add_typer(weights_commands.app, name="weights")


class ProgressStyle(str, Enum):
    """How to show how far a run has come."""

    auto = "auto"
    live = "live"
    lines = "lines"
    json = "json"
    none = "none"


class Format(str, Enum):
    """How to write a query's answer."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


class Drawn(str, Enum):
    """What to draw onto a video, or of it."""

    people = "people"
    densepose = "densepose"
    uv = "uv"
    mesh = "mesh"
    side = "side"
    views = "views"
    atlas = "atlas"


class DecoderKind(str, Enum):
    """The libraries that decode videos."""

    pyav = "pyav"
    decord = "decord"


class Exported(str, Enum):
    """The file formats of other programs."""

    bvh = "bvh"
    npz = "npz"
    trc = "trc"
    json = "json"
    csv = "csv"


# fmt: off
Out = Annotated[str, typer.Argument(help="Folder or s3://bucket/prefix that index wrote.")]
Endpoint = Annotated[str | None, typer.Option("--endpoint-url", envvar="AWS_ENDPOINT_URL", help="Another S3 than Amazon's.")]  # noqa: E501
Fps = Annotated[float | None, typer.Option(min=0.001, help="Look at this many frames a second; default: at every frame.")]  # noqa: E501
Pools = Annotated[str, typer.Option(help="Which stages share an actor, e.g. 'decode | people:cpus=2,largest=4'; default: all.")]  # noqa: E501
DecoderChoice = Annotated[DecoderKind, typer.Option("--decoder", help="What reads videos. decord shows damaged H.264 frames as sound.")]  # noqa: E501
Address = Annotated[str | None, typer.Option(help="A Ray cluster; default: RAY_ADDRESS, else this machine.")]  # noqa: E501
Verbose = Annotated[bool, typer.Option(help="Let Ray speak.")]
Graph = Annotated[str, typer.Option(help="Which models look: `muybridge graphs` lists them.")]
Model = Annotated[str | None, typer.Option(help="Variant of the graph's system, by the name of its weights.")]  # noqa: E501
Detector = Annotated[str | None, typer.Option(help="What finds people, by the name of its weights.")]  # noqa: E501
Weights = Annotated[Path | None, typer.Option(help="A file with the weights, or the folder they are in.")]  # noqa: E501
Precision = Annotated[str | None, typer.Option(help="float32, or bfloat16: faster where the processor has it.")]  # noqa: E501
Size = Annotated[int | None, typer.Option(help="Pixels of a picture's shorter side as the networks see it.")]  # noqa: E501
PoseModel = Annotated[str | None, typer.Option(help="What reads each person's joints: thunder, lightning (4 times faster), blazepose (feet, hands, its own 3-D).")]  # noqa: E501
Raw = Annotated[bool, typer.Option("--raw", help="Leave joints as read, not smoothed over time.")]
MinScore = Annotated[float | None, typer.Option(help="Leave out people who score less, 0 to 1.")]
DetectEvery = Annotated[int | None, typer.Option(help="Look for people at every so many frames; carry them in between.")]  # noqa: E501
Body = Annotated[str | None, typer.Option(help="Body model: smpl_neutral, smpl_male or smpl_female.")]  # noqa: E501
Focal = Annotated[float | None, typer.Option(help="The camera's focal length in pixels; default: the picture's diagonal.")]  # noqa: E501
Smooth = Annotated[bool, typer.Option("--smooth", help="Smooth how bodies turn over time.")]
Refine = Annotated[bool, typer.Option("--refine", help="Fit bodies to the joints in the picture.")]
Still = Annotated[float | None, typer.Option(help="Don't look again at who changes by less than so many grey levels.")]  # noqa: E501
Window = Annotated[int | None, typer.Option(help="Moments that an action is judged by: 8 or 16.")]
Stride = Annotated[int | None, typer.Option(help="Moments from one window to the next.")]
Wanted = Annotated[str, typer.Option(help="Tables wanted, with commas; only what they need runs. Default: all.")]  # noqa: E501
# fmt: on


@app.command()
def index(
    context: typer.Context,
    out: Annotated[str, typer.Option(help="Where to write: a folder or s3://bucket/prefix.")],
    videos: Annotated[
        list[str] | None, typer.Argument(help="Files, folders, globs, s3:// prefixes.")
    ] = None,
    sessions: Annotated[
        list[str] | None,
        typer.Option(help="A TOML of sessions, or the folder of one: videos and calibration."),
    ] = None,
    fps: Fps = None,
    graph: Graph = "people",
    pose_model: PoseModel = None,
    raw: Raw = False,
    model: Model = None,
    detector: Detector = None,
    weights: Weights = None,
    precision: Precision = None,
    size: Size = None,
    min_score: MinScore = None,
    detect_every: DetectEvery = None,
    body: Body = None,
    focal: Focal = None,
    smooth: Smooth = False,
    refine: Refine = False,
    still: Still = None,
    window: Window = None,
    stride: Stride = None,
    tables: Wanted = "",
    pools: Pools = "",
    show: Annotated[
        ProgressStyle, typer.Option("--progress", help="How to show how far it is.")
    ] = ProgressStyle.auto,
    strict: Annotated[
        bool, typer.Option(help="Exit with 3 if anything could not be read.")
    ] = False,
    decoder: DecoderChoice = DecoderKind.pyav,
    retry_errors: Annotated[
        bool,
        typer.Option("--retry-errors", help="Try again whatever ended in an error, of any kind."),
    ] = False,
    address: Address = None,
    endpoint_url: Endpoint = None,
    verbose: Verbose = False,
) -> None:
    """Index videos into tables of people. Run it again to take up what is new or was cut off."""
    with told(RESUMED):
        if not videos and not sessions:
            raise InputError("nothing to index: name videos, or --sessions")
        chosen = _choice(context)
        summary = _index(
            videos or [],
            out,
            _build(chosen),
            show.value,
            sessions=sessions or [],
            fps=fps,
            pools=pools,
            decoder=decoder.value,
            retry_errors=retry_errors,
            endpoint=endpoint_url,
            address=address,
            verbose=verbose,
        )
        if strict and summary.errors:
            raise typer.Exit(3)


@app.command(context_settings={"ignore_unknown_options": True})
def submit(
    arguments: Annotated[list[str], typer.Argument(help="What one would give to index.")],
    address: Annotated[
        str, typer.Option(envvar="RAY_API_SERVER_ADDRESS", help="Of the cluster's dashboard.")
    ] = "http://127.0.0.1:8265",
    ship: Annotated[bool, typer.Option(help="Send muybridge's own code along.")] = True,
) -> None:
    """Run index as a job on a Ray cluster and follow its log: submit VIDEOS --out OUT."""
    with told(RESUMED):
        from muybridge.run.submit import submit as send

        if not send(arguments, address, ship):
            raise typer.Exit(1)


@app.command()
def query(
    out: Out,
    sql: Annotated[str, typer.Argument(help='For example "select count(*) from people".')],
    format: Annotated[Format, typer.Option(help="How to write the answer.")] = Format.table,
    endpoint_url: Endpoint = None,
) -> None:
    """Run SQL (DuckDB) over the tables videos, sessions, people, keypoints, joints3d, densepose,
    bodies, actions, tracks, errors.
    """
    with told():
        _answer(out, sql, format, endpoint_url)


@app.command()
def render(
    out: Out,
    video: Annotated[str, typer.Argument(help="The video or session, as it was indexed.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The MP4 to write; a PNG for the atlas.")
    ],
    show: Annotated[
        Drawn | None,
        typer.Option(
            help="What to draw. Default: joints, else surfaces, else bodies; of sessions, views."
        ),
    ] = None,
    track: Annotated[int | None, typer.Option(help="Whose atlas, by their number.")] = None,
    weights: Annotated[
        Path | None, typer.Option(help="The file of the body model, or the folder it is in.")
    ] = None,
    endpoint_url: Endpoint = None,
) -> None:
    """Draw boxes with track ids and skeletons, body surfaces or bodies (mesh, and from the side)
    onto a video, all views of a session, or a texture atlas.
    """
    with told():
        if track is not None and show is not Drawn.atlas:
            raise InputError("--track says whose atlas is wanted: give --show atlas with it")
        if weights is not None and show not in (None, Drawn.mesh, Drawn.side):
            raise InputError("--weights says where body models are: give --show mesh or side")
        if show is Drawn.atlas:
            _texture(out, video, track, output, endpoint_url)
        elif show is Drawn.views or (show is None and _session(out, video, endpoint_url)):
            _side_by_side(out, video, output, endpoint_url)
        else:
            _draw(out, video, output, endpoint_url, show.value if show else None, weights)


@app.command()
def export(
    out: Out,
    format: Annotated[
        Exported,
        typer.Option(help="bvh: bones; npz: bodies as AMASS has them; trc: OpenSim; json: COCO."),
    ],
    video: Annotated[
        str | None, typer.Option(help="The video, as it was indexed; default: every video.")
    ] = None,
    track: Annotated[int | None, typer.Option(help="Who, by their number; default: all.")] = None,
    system: Annotated[
        str | None, typer.Option(help="Who saw them, as the tables name it; default: the first.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The file of one person, or a folder; default: here."),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="The file of the body model, or the folder it is in.")
    ] = None,
    endpoint_url: Endpoint = None,
) -> None:
    """Export people to other programs, a file a person: export OUT --format bvh --video walk.mp4.

    bvh, npz and trc have a constant frame rate. Frames without the person are filled in (bvh, npz),
    empty (trc) or left out (json, csv).
    """
    with told():
        from muybridge.export.write import export as written

        for file in written(out, format.value, video, track, system, output, weights, endpoint_url):
            mark = format.value if file.made else "left out"
            console.print(f"{mark}: {file.path} ({file.told})", markup=False)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("muybridge-demo"),
) -> None:
    """Make a short clip from a portrait, index it, and show what comes out. Needs no network."""
    with told():
        from muybridge import demo as portrait
        from muybridge import graphs

        out.mkdir(parents=True, exist_ok=True)
        clip = portrait.clip(out / "clip.mp4")
        console.print(f"clip: {clip}")
        _index([str(clip)], str(out / "tables"), graphs.see_people())
        _draw(str(out / "tables"), str(clip), out / "overlay.mp4", None)
        sql = "select track_id, first_time_s, last_time_s, frames_seen, score from tracks"
        console.print(f'muybridge query {out / "tables"} "{sql}"')
        _answer(str(out / "tables"), sql)


@app.command("graphs")
def lists() -> None:
    """List the graphs: what each sees and writes, which stages run, what it needs and takes."""
    from muybridge.graphs import described

    console.print(described(), markup=False)
    print("missing weights: muybridge weights fetch NAME; other models: muybridge weights list")


@app.command()
def doctor() -> None:
    """Say what this machine can do, and what to do where it cannot."""
    from muybridge import doctor as examine
    from muybridge.answers import show

    lines = examine.check()
    shown = rich.table.Table.grid(padding=(0, 2))
    for line in lines:
        mark = "[green]OK[/green]" if line.ok else "[red]--[/red]"
        todo = "" if line.ok else f" [yellow]→ {rich.markup.escape(line.advice)}[/yellow]"
        shown.add_row(mark, line.name, rich.markup.escape(line.found) + todo)
    show(shown)
    if not examine.able(lines):
        raise typer.Exit(1)


@app.command()
def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="Where to listen; 0.0.0.0 is everywhere: give a key then.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    api_key_file: Annotated[
        Path | None, typer.Option(help="A file with the key that every caller must send.")
    ] = None,
    max_upload_mb: Annotated[int, typer.Option(min=1, help="The largest file taken.")] = 1024,
    max_requests: Annotated[int, typer.Option(min=1, help="At a time; more get a 503.")] = 32,
    graph: Graph = "people",
    pose_model: PoseModel = None,
    raw: Raw = False,
    model: Model = None,
    detector: Detector = None,
    weights: Weights = None,
    precision: Precision = None,
    size: Size = None,
    min_score: MinScore = None,
    detect_every: DetectEvery = None,
    body: Body = None,
    focal: Focal = None,
    smooth: Smooth = False,
    refine: Refine = False,
    still: Still = None,
    window: Window = None,
    stride: Stride = None,
    tables: Wanted = "",
    pools: Pools = "",
    address: Address = None,
    verbose: Verbose = False,
) -> None:
    """Serve a graph over HTTP: POST /v1/analyze takes a video or a picture."""
    with told():
        from muybridge.run import online
        from muybridge.run.pools import parse

        chosen = _choice(context)
        online.serve(
            _build(chosen),
            host=host,
            port=port,
            api_key_file=api_key_file,
            limits=online.Limits(max_upload_mb << 20, max_requests),
            pools=parse(pools) if pools else (),
            address=address,
            verbose=verbose,
            started=lambda url: console.print(f"serving at {url}, described at {url}/docs"),
        )


@evaluate.command()
def keypoints(
    context: typer.Context,
    images: Annotated[
        Path,
        typer.Argument(help="The folder of the pictures, or what index wrote of their videos."),
    ],
    annotations: Annotated[
        Path,
        typer.Argument(help="COCO keypoint annotations (JSON); VIDEO_000012.jpg is frame 12."),
    ],
    graph: Graph = "people",
    pose_model: PoseModel = None,
    model: Model = None,
    detector: Detector = None,
    weights: Weights = None,
    precision: Precision = None,
    size: Size = None,
) -> None:
    """Score joints by COCO annotations (pycocotools): a graph's on pictures, or an output's."""
    with told():
        import muybridge
        from muybridge.columns import GIVEN
        from muybridge.evaluate import report
        from muybridge.graph import ready
        from muybridge.store.query import is_output

        if is_output(str(images)):
            out = muybridge.open(images)
            console.print(report.output_keypoints(out, annotations)["text"])
            return
        made = _build(_choice(context))
        ready(made, GIVEN)
        console.print(report.keypoints(images, annotations, made)["text"])


@evaluate.command()
def counts(
    out: Out,
    labels: Annotated[
        Path, typer.Argument(help="CSV of video, frame, people_min, people_max, counted by eye.")
    ],
    root: Annotated[
        Path | None, typer.Option(help="Where its videos are; default: beside it.")
    ] = None,
    endpoint_url: Endpoint = None,
) -> None:
    """Compare how many people index found in frames with how many a person counted."""
    with told():
        import muybridge
        from muybridge.evaluate import report

        tables = muybridge.open(out, endpoint_url)
        found = report.frames_of_people(tables.videos, tables.people, root or labels.parent)
        console.print(report.counts(labels, found)["text"])


@evaluate.command()
def tracking(
    out: Out,
    labels: Annotated[
        Path,
        typer.Argument(help="MOTChallenge's gt.txt, or a folder of them, named as the videos."),
    ],
    endpoint_url: Endpoint = None,
) -> None:
    """Compare who index says people are with labels: IDF1, MOTA, HOTA, switches and so on."""
    with told():
        import muybridge
        from muybridge.evaluate import tracking_report

        found = tracking_report.tracking(muybridge.open(out, endpoint_url), labels)
        console.print(found["text"], markup=False)


@evaluate.command()
def jitter(
    out: Out,
    against: Annotated[
        str | None,
        typer.Option(help="What index wrote otherwise of the same videos: say ratios and lag."),
    ] = None,
    endpoint_url: Endpoint = None,
) -> None:
    """Say how much shoulders and wrists shake, without labels, and how late they are."""
    with told():
        import muybridge
        from muybridge.evaluate import jitter_report

        other = muybridge.open(against, endpoint_url) if against else None
        found = jitter_report.shaking(muybridge.open(out, endpoint_url), other)
        console.print(found["text"], markup=False)


@evaluate.command()
def densepose(
    context: typer.Context,
    results: Annotated[
        Path,
        typer.Argument(help="COCO DensePose results (JSON), or the folder of the pictures."),
    ],
    annotations: Annotated[Path, typer.Argument(help="COCO DensePose annotations (JSON).")],
    surface: Annotated[
        Path, typer.Option(help="Folder of the official surface files; what is missing is named.")
    ],
    model: Model = None,
    detector: Detector = None,
    weights: Weights = None,
    precision: Precision = None,
    size: Size = None,
) -> None:
    """Score surfaces against COCO DensePose annotations: GPS, GPSm and mask IoU.

    They are read from results, or made of pictures by the graph densepose.
    """
    with told():
        from muybridge.columns import GIVEN
        from muybridge.evaluate import report
        from muybridge.graph import ready

        made: tuple[Any, ...] = ()
        if results.is_dir():
            made = _build(_choice(context, graph="densepose", min_score=0.05))
            ready(made, GIVEN)
        console.print(report.densepose(results, annotations, surface, made)["text"])


def _choice(context: typer.Context, **more: Any) -> Choice:
    """Put what was said of the graph into one value."""
    from muybridge.graphs import Choice, choice

    said = {name: context.params.get(name) for name in Choice.__dataclass_fields__}
    tables = [name.strip() for name in (said.pop("tables") or "").split(",") if name.strip()]
    said = {name: value for name, value in said.items() if value is not None and value is not False}
    return choice({**said, **more, "tables": tables})


def _build(choice: Choice) -> tuple[Any, ...]:
    """Make the graph that is wanted, after fetching those of its weights that are not here."""
    from muybridge import graphs

    if names := graphs.needs(choice):
        from muybridge import weights

        with bars() as report:
            weights.provide(names, choice.weights, report=report)
    return graphs.build(choice)


def _index(
    videos: list[str],
    out: str,
    graph: tuple[Any, ...],
    style: progress.Style = "auto",
    pools: str = "",
    **options: Any,
) -> Summary:
    """Index with a display, and print how it went."""
    from muybridge.run.index import index as run
    from muybridge.run.pools import parse

    grouped = parse(pools) if pools else ()
    with progress.display(style) as report:
        summary = run(videos, out, graph, pools=grouped, report=report, **options)
    console.print(progress.told(summary))
    return summary


def _draw(
    out: str,
    video: str,
    output: Path,
    endpoint: str | None,
    show: Show | None = None,
    weights: Path | None = None,
) -> None:
    """Draw people onto a video with a display, and print where it is."""
    from muybridge.render.overlay import overlay

    with _bar("drawing") as moved:
        made = overlay(out, video, output, endpoint, moved, show, weights)
    console.print(
        f"overlay: {made.path} ({made.frames} of {made.frames_indexed} frames, sound: {made.sound})"
    )


def _session(out: str, video: str, endpoint: str | None) -> bool:
    """Tell whether a session of several cameras is meant."""
    from muybridge.render.views import knows

    return knows(out, video, endpoint)


def _side_by_side(out: str, session: str, output: Path, endpoint: str | None) -> None:
    """Draw all views of a session with a display, and print where it is."""
    from muybridge.render.views import views

    with _bar("drawing") as moved:
        made = views(out, session, output, endpoint, moved)
    console.print(
        f"views: {made.path} ({made.frames} of {made.frames_indexed} frames, sound: {made.sound})"
    )


def _texture(out: str, video: str, track: int | None, output: Path, endpoint: str | None) -> None:
    """Gather a person's texture with a display, and print where it is."""
    from muybridge.render.atlas import atlas

    if output.suffix.lower() != ".png":
        raise InputError(f"{output}: an atlas is written as PNG; name it {output.stem}.png")
    with _bar("gathering") as moved:
        made = atlas(out, video, track, endpoint, moved)
    made.save(output)
    console.print(f"atlas: {output} ({made.coverage:.0%} of the body was seen)")


@contextmanager
def _bar(task: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far something is: give a function that takes what is done, and of how many."""
    with rich.progress.Progress(console=Console(stderr=True), transient=True) as bar:
        number = bar.add_task(task, total=None)
        yield lambda done, of: bar.update(number, completed=done, total=of)


def _answer(out: str, sql: str, format: Format = Format.table, endpoint: str | None = None) -> None:
    """Ask the tables and print what they say."""
    from muybridge.answers import WRITERS
    from muybridge.store.query import query as asked

    WRITERS[format.value](asked(out, sql, endpoint))


def main() -> Any:
    """Be the program `muybridge`."""
    return app()
