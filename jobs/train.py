"""Train a network: DensePose, or first its teacher; a lifter; VIBE; multi-task; or of actions.

    python jobs/train.py teacher PICTURES ANNOTATIONS --out runs/teacher
    python jobs/train.py densepose PICTURES ANNOTATIONS --out runs/student \\
        --teacher runs/teacher/teacher.safetensors
    python jobs/train.py lifter MOTION.npz --out runs/frame --taps 1 --batch 2
    python jobs/train.py lifter MOTION.npz --out runs/track --start runs/frame/lifter.safetensors
    python jobs/train.py vibe TRACKS MOCAP --out runs/vibe --weights FILES
    python jobs/train.py multitask CLIPS --out runs/multitask --classes 3
    python jobs/train.py action MOTION.npz --out runs/action

The same command takes up a run that was cut off. A trained network is written under its authors'
names, so that it is used like a published file: `--weights runs/student/MODEL.safetensors`.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import typer
from torch import nn
from torch.optim import SGD, Adam

from muybridge import checkpoints, weights
from muybridge.errors import InputError, listed
from muybridge.evaluate import actions
from muybridge.geometry.smpl import Body, Joints
from muybridge.models.action import training as doing
from muybridge.models.action.model import Classifier
from muybridge.models.densepose import annotations, losses, training
from muybridge.models.densepose.model import DensePose
from muybridge.models.densepose.teacher import Lessons, Teacher, taught
from muybridge.models.lifter import predict, virtual
from muybridge.models.lifter import training as lifting
from muybridge.models.multitask import checkpoint as multitasking
from muybridge.models.multitask import training as acting
from muybridge.models.multitask.model import NTU, PENN, SMALL
from muybridge.models.vibe import examples
from muybridge.models.vibe import training as moving
from muybridge.models.vibe.model import Generator, Hmr
from muybridge.run.actions import RULES
from muybridge.run.cluster import cluster
from muybridge.run.train import Course, Trained, train
from muybridge.terminal import told

HELD_OUT = 8  # lots of windows by which a classifier is judged
VIBE = "vibe_wo_3dpw"  # the name under which a generator is written
SIZES = {"small": SMALL, "spnet_ntu": NTU, "spnet_penn": PENN}
# fmt: off
Pictures = Annotated[Path, typer.Argument(help="The folder of the pictures.")]
Records = Annotated[Path, typer.Argument(help="COCO DensePose annotations (JSON).")]
Out = Annotated[Path, typer.Option(help="Where the run and what it learnt are kept; a folder that all workers see.")]  # noqa: E501
Model = Annotated[str, typer.Option(help="The variant to train, by the name of its weights.")]
Start = Annotated[Path | None, typer.Option("--weights", help="File or folder of the weights to start from; default: as published.")]  # noqa: E501
Anew = Annotated[bool, typer.Option(help="Forget the surface that they know, keep detector and backbone.")]  # noqa: E501
Filled = Annotated[Path | None, typer.Option("--teacher", help="A trained teacher, to learn from all of the body and not from points alone.")]  # noqa: E501
Epochs = Annotated[int, typer.Option(min=1, help="How often every picture is learnt from.")]
Rate = Annotated[float, typer.Option(min=0, help="How fast to learn.")]
Batch = Annotated[int, typer.Option(min=1, help="Pictures a worker learns from at a time.")]
Workers = Annotated[int, typer.Option(min=1, help="How many learn together.")]
Gpu = Annotated[bool, typer.Option(help="Give each worker a GPU.")]
Backbone = Annotated[bool, typer.Option(help="Let the backbone learn too; the detector, which reads it, does not follow.")]  # noqa: E501
Motion = Annotated[Path, typer.Argument(help="Motion capture (NPZ): joints (N, 20, 3) in metres, names, sequences, lengths.")]  # noqa: E501
Taps = Annotated[int, typer.Option(min=1, help="Moments that it sees, a thirtieth of a second apart.")]  # noqa: E501
From = Annotated[Path | None, typer.Option("--start", help="A lifter.safetensors to go on from; one of a single moment is widened. Or a lifter.npz.")]  # noqa: E501
LeftOut = Annotated[str, typer.Option(help="Kinds of motion not to learn from, with commas.")]
Lots = Annotated[int, typer.Option(min=1, help="Lots of 512 views an epoch.")]
LotsAtOnce = Annotated[int, typer.Option("--batch", min=1, help="Lots a worker learns from at a time.")]  # noqa: E501
Tracks = Annotated[Path, typer.Argument(help="Tracks of features (NPZ): a file, or a folder of them.")]  # noqa: E501
Mocap = Annotated[Path, typer.Argument(help="Motion capture as SMPL's poses (NPZ): a file, or a folder of them.")]  # noqa: E501
Published = Annotated[Path | None, typer.Option("--weights", file_okay=False, help="Folder with SPIN's file and SMPL's; default: as published.")]  # noqa: E501
Begun = Annotated[Path | None, typer.Option("--start", help="A file of VIBE to go on from; default: SPIN's regressor.")]  # noqa: E501
Stride = Annotated[int, typer.Option(min=1, help="Frames from one window of a track to the next.")]
Pace = Annotated[float, typer.Option("--fps", min=1, help="Frames a second of the tracks, to which motion capture is thinned.")]  # noqa: E501
Judging = Annotated[float, typer.Option(min=0, help="How fast the discriminator learns.")]
Windows = Annotated[int, typer.Option("--batch", min=1, help="Windows a worker learns from at a time.")]  # noqa: E501
Clips = Annotated[Path, typer.Argument(file_okay=False, help="Folder of clips (NPZ).")]
Sizes = Annotated[str, typer.Option("--model", help=f"The network's sizes: {', '.join(SIZES)}.")]
Classes = Annotated[int | None, typer.Option(min=2, help="How many actions there are; default: as many as the model has.")]  # noqa: E501
Onward = Annotated[Path | None, typer.Option("--start", help="A spnet.safetensors to go on from.")]
Frames = Annotated[int, typer.Option(min=2, help="Frames that are judged together.")]
Along = Annotated[int, typer.Option("--stride", min=1, help="Frames from one clip of a file to the next.")]  # noqa: E501
Fold = Annotated[int, typer.Option(min=0, max=actions.FOLDS - 1, help="Which sequences are held out, of every four of a kind.")]  # noqa: E501
AtATime = Annotated[int, typer.Option("--batch", min=1, help="Clips a worker learns from at a time.")]  # noqa: E501
# fmt: on
app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@app.command()
def teacher(
    pictures: Pictures,
    records: Records,
    out: Out,
    epochs: Epochs = 30,
    rate: Rate = 1e-3,
    batch: Batch = 8,
    workers: Workers = 1,
    gpu: Gpu = False,
) -> None:
    """Train the teacher on annotated points; it sees people alone, with their drawn parts."""
    with told():
        optimiser = partial(Adam, lr=rate)
        course = Course(lambda: Lessons(Teacher()), training.example, optimiser, epochs, batch)
        trained = _train(course, pictures, records, out, workers, gpu)
        _keep(_named(trained, "teacher."), out / "teacher.safetensors", {"weights": "teacher"})


@app.command()
def densepose(
    pictures: Pictures,
    records: Records,
    out: Out,
    model: Model = "densepose_rcnn_R_50_FPN_s1x",
    start: Start = None,
    anew: Anew = False,
    filled: Filled = None,
    backbone: Backbone = False,
    epochs: Epochs = 26,
    rate: Rate = 0.01,
    batch: Batch = 2,
    workers: Workers = 1,
    gpu: Gpu = False,
) -> None:
    """Train a network's surface on annotated people; its own detector is left as it is."""
    with told():
        weights.provide([model], start)
        optimiser = partial(SGD, lr=rate, momentum=0.9, weight_decay=1e-4)
        make = partial(_lessons, model, start, anew, filled, backbone)
        course = Course(make, training.example, optimiser, epochs, batch)
        trained = _train(course, pictures, records, out, workers, gpu)
        theirs = training.authors(_named(trained, "network."), weights.layout(model))
        _keep(theirs, out / f"{model}.safetensors", {"weights": model})


@app.command()
def lifter(
    motion: Motion,
    out: Out,
    taps: Taps = 27,
    start: From = None,
    left_out: LeftOut = "",
    lots: Lots = 1000,
    epochs: Epochs = 16,
    rate: Rate = 1e-3,
    batch: LotsAtOnce = 1,
    workers: Workers = 1,
    gpu: Gpu = False,
) -> None:
    """Train the lifter on motion capture seen by virtual cameras; write it ready to run, too."""
    with told():
        virtual.read(motion)  # so that a bad file is told before workers start
        kinds = frozenset(name.strip() for name in left_out.split(",") if name.strip())
        optimiser = partial(lifting.decaying, rate=rate, steps=epochs * lots // (batch * workers))
        read = partial(lifting.lot, motion.resolve(), kinds, taps)
        make = partial(lifting.started, taps, start and start.resolve(), motion.resolve())
        course = Course(make, read, optimiser, epochs, batch)
        rows = [{"seed": seed} for seed in range(lots)]
        trained = _run(course, rows, out, workers, gpu)
        tensors = _named(trained, "lifter.")
        _keep(tensors, out / "lifter.safetensors", {"weights": "lifter"})
        lessons = lifting.started(taps, out / "lifter.safetensors")
        lifting.write(lifting.folded(lessons.lifter), out / predict.SHIPPED.name)
        typer.echo(f"ready to run: {out / predict.SHIPPED.name}")


@app.command()
def vibe(
    tracks: Tracks,
    mocap: Mocap,
    out: Out,
    files: Published = None,
    start: Begun = None,
    stride: Stride = 16,
    fps: Pace = examples.FPS,
    epochs: Epochs = 30,
    rate: Rate = moving.RATES[0],
    judging: Judging = moving.RATES[1],
    batch: Windows = 32,
    workers: Workers = 1,
    gpu: Gpu = False,
) -> None:
    """Train VIBE's generator on features, against a discriminator that knows motion capture.

    A track is an NPZ file with, frame by frame, and the last four only if known:

    features (T, 2048): what SPIN's backbone says of the crop
    kp_2d (T, 49, 3): x and y from -1 to 1 over the crop, how sure they are
    kp_3d (T, 49, 3): joints in metres, where w_3d (T,) is 1
    theta (T, 85): camera, SMPL's pose, betas, where w_smpl (T,) is 1

    Motion capture is as in AMASS, an NPZ file with mocap_framerate and

    poses: (T, 72), or SMPL-H's (T, 156), or SMPL-X's (T, 165)
    """
    with told():
        lessons, motions = examples.tracks(tracks, stride), examples.mocap(mocap)
        for fault in [*lessons.skipped, *motions.skipped][:10]:
            typer.echo(f"left out: {fault}", err=True)
        weights.provide(["spin", "smpl_neutral", "smpl_regressor_extra"], files)
        make = partial(_moving, files, start, motions.rows, fps)
        course = Course(make, examples.example, moving.optimisers(rate, judging), epochs, batch)
        trained = _run(course, lessons.rows, out, workers, gpu)
        theirs = moving.authors(_named(trained, "generator."))
        _keep(theirs, out / f"{VIBE}.safetensors", {"weights": VIBE})


@app.command()
def multitask(
    clips: Clips,
    out: Out,
    model: Sizes = "small",
    classes: Classes = None,
    start: Onward = None,
    frames: Frames = 8,
    stride: Along = 4,
    epochs: Epochs = 8,
    rate: Rate = 4e-3,
    batch: AtATime = 8,
    workers: Workers = 1,
    gpu: Gpu = False,
) -> None:
    """Train the multi-task network on joints and actions together.

    A clip is an NPZ file of one person's square crops, and what is known of them:

    frames (T, S, S, 3): uint8, with S a multiple of 32, or of 64 for the published sizes

    joints (T, J, D + 1): from 0 to 1 over the crop, NaN where not known, then 1 if seen, else 0

    actions (1,): a class from 0, or -1 if not known
    """
    with told():
        if model not in SIZES:
            raise InputError(listed(f"there are no sizes called {model!r}; there are", [*SIZES]))
        sizes = SIZES[model]
        config = replace(sizes, actions=(classes,)) if classes else sizes
        acting.started(config, start)  # so that a bad file is told before workers start
        rows = acting.rows(clips.resolve(), config, frames, stride)
        steps = max(epochs * len(rows) // (batch * workers), 1)
        optimiser = partial(lifting.decaying, rate=rate, steps=steps)
        make = partial(acting.started, config, start and start.resolve())
        course = Course(make, acting.example, optimiser, epochs, batch)
        trained = _run(course, rows, out, workers, gpu)
        theirs = multitasking.authors(_named(trained, "network."), config)
        about = {"weights": model} if model in multitasking.LAYOUTS and config == sizes else {}
        _keep(theirs, out / "spnet.safetensors", {**about, **multitasking.about(config)})


@app.command()
def action(
    motion: Motion,
    out: Out,
    fold: Fold = 0,
    lots: Annotated[int, typer.Option(min=1, help="Lots of 256 windows an epoch.")] = 500,
    epochs: Epochs = 2,
    rate: Rate = 3e-3,
    workers: Workers = 1,
    gpu: Gpu = False,
) -> None:
    """Train the classifier of lifted joints; write it ready to run, and say how good it is.

    Every fourth sequence of a kind is held out: by these it is judged, and made as sure as right.
    """
    with told():
        held = actions.held_out(virtual.read(motion), fold)[1]
        optimiser = partial(lifting.decaying, rate=rate, steps=epochs * lots // workers)
        read = partial(actions.lot, motion.resolve(), fold)
        course = Course(_doing, read, optimiser, epochs, 1)
        rows = [{"seed": seed} for seed in range(lots)]
        trained = _run(course, rows, out, workers, gpu)
        classifier = Classifier()
        classifier.load_state_dict(_named(trained, "classifier."))
        drawer = actions.Drawer(held, predict.load())
        drawn = [drawer(lots + seed, actions.WINDOWS) for seed in range(HELD_OUT)]
        seen, labels = (np.concatenate(part) for part in zip(*drawn, strict=True))
        plain = doing.folded(classifier.eval())
        network = replace(plain, temperature=doing.temperature(plain(seen), labels))
        doing.write(network, out / "action.npz")
        found = actions.report(network.scores(seen), labels, RULES["motion"].opens)
        typer.echo("  ".join(f"{name} {value}" for name, value in found.items()))
        typer.echo(f"ready to run: {out / 'action.npz'}")


def _doing() -> nn.Module:
    return doing.Lessons(Classifier())


def _moving(
    files: Path | None, start: Path | None, mocap: list[examples.Row], fps: float
) -> nn.Module:
    """Make, in a worker, VIBE's generator and what it is taught by."""
    if start:
        generator = cast(Generator, weights.load(VIBE, start)).requires_grad_()
    else:
        generator = moving.begun(cast(Hmr, weights.load("spin", files)).regressor)
    body = cast(Body, weights.load("smpl_neutral", files))
    extra: Any = weights.load("smpl_regressor_extra", files)
    return moving.Lessons(generator, Joints(body, extra.weight), examples.motions(mocap, fps))


def _lessons(
    model: str, start: Path | None, anew: bool, filled: Path | None, backbone: bool
) -> nn.Module:
    """Make, in a worker, the network and what it is taught by."""
    network = cast(DensePose, weights.load(model, start))
    if anew:
        training.forget(network)
    how = training.Config(losses.published(network.config), backbone)
    return training.Lessons(network, how, taught(filled) if filled else None)


def _train(
    course: Course, pictures: Path, records: Path, out: Path, workers: int, gpu: bool
) -> Trained:
    """Train on those annotated pictures that are there; tell of the others."""
    content = annotations.read(records)
    rows = training.rows(content, pictures)
    there = [row for row in rows if row["path"].is_file()]
    absent = [f"{row['path']}: no such file" for row in rows if not row["path"].is_file()]
    for fault in [*content.skipped, *absent][:10]:
        typer.echo(f"left out: {fault}", err=True)
    return _run(course, there, out, workers, gpu)


def _run(course: Course, rows: Sequence[Any], out: Path, workers: int, gpu: bool) -> Trained:
    """Train on a Ray that is there or our own, and print what each epoch came to."""
    with cluster():
        trained = train(course, rows, out / "run", workers=workers, gpu=gpu)
    for epoch in trained.epochs:
        typer.echo("  ".join(f"{name} {value:.4g}" for name, value in epoch.items()))
    return trained


def _named(trained: Trained, start: str) -> checkpoints.Tensors:
    """Take the tensors whose names start so, without that start."""
    ours = trained.tensors.items()
    return {name.removeprefix(start): tensor for name, tensor in ours if name.startswith(start)}


def _keep(tensors: checkpoints.Tensors, path: Path, about: dict[str, str]) -> None:
    weights.save(tensors, path, about)
    typer.echo(f"learnt: {path}")


if __name__ == "__main__":
    app()
