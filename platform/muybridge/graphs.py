"""The product's graphs, by name, and what a user may choose about them.

What a user says is a ``Choice``; ``build`` makes the graph of it, with those stages only that the
tables asked for need, or says everything that is wrong with it. What needs torch is imported where
it is wanted: on a CPU the default graph does without, and its workers are the smaller for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from muybridge.errors import InputError, WeightsError, listed
from muybridge.graph import Graph, Run, Stage, needed
from muybridge.models.densepose.config import VARIANTS
from muybridge.published import FILES
from muybridge.stages.act import act
from muybridge.stages.blazepose import blazepose
from muybridge.stages.decode import decode
from muybridge.stages.lift import SOURCES as LIFTED
from muybridge.stages.lift import lift
from muybridge.stages.people import people
from muybridge.stages.watch import Options
from muybridge.store.tables import SCHEMAS, SOURCES, sources

PRECISIONS = ("float32", "bfloat16")
DETECTORS = (
    "fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn", *VARIANTS,
)  # fmt: skip
DENSEPOSE = "densepose_rcnn_R_50_FPN_s1x"
VIBE = ("vibe_wo_3dpw", "vibe_w_3dpw")
BODIES = ("smpl_neutral", "smpl_male", "smpl_female")
VIDEO = ("r3d_18", "r2plus1d_18", "mvit_v2_s", "swin3d_t", "s3d")
SPNET = ("spnet_ntu", "spnet_penn")
TRIANGULATION = ("human36m_alg_10-04-2019", "human36m_vol_softmax_10-08-2019")
WINDOWS = (8, 16)
POSE_MODELS = ("thunder", "lightning", "blazepose", "blazepose_heavy")
ALIASES = {"embedded": "people"}  # graphs' earlier names
OPENPOSE = ("openpose_body25", "openpose_coco", "openpose_coco_caffe", "openpose_mobilenet")


@dataclass(frozen=True)
class Choice:
    """Say which graph is wanted, and how; None and () leave it to the graph.

    ``model`` is a variant of the graph's system and ``detector`` what finds its people, both by the
    name of their weights. ``weights`` is a file with them, or a folder. The networks see ``size``
    pixels of a picture's shorter side; people who score less than ``min_score`` are left out; they
    are looked for at every ``detect_every``-th frame. Only ``tables`` get rows, and only the stages
    that they need run (what joints are lifted from comes along).

    ``pose_model`` is what reads each person's joints, and ``raw`` leaves them unsmoothed.

    Bodies are of the body model ``body``, seen by a camera of ``focal`` pixels; ``smooth`` smooths
    how they turn, ``refine`` fits them to the joints in the picture, and ``still`` is by how many
    grey levels a person must change to be looked at again.

    Actions are judged over ``window`` moments, ``stride`` from one window to the next.
    """

    graph: str = "people"
    pose_model: str | None = None
    raw: bool | None = None
    model: str | None = None
    detector: str | None = None
    weights: Path | None = None
    precision: str | None = None
    size: int | None = None
    min_score: float | None = None
    detect_every: int | None = None
    body: str | None = None
    focal: float | None = None
    smooth: bool | None = None
    refine: bool | None = None
    still: float | None = None
    window: int | None = None
    stride: int | None = None
    tables: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "graph", ALIASES.get(self.graph, self.graph))


def choice(said: Mapping[str, Any]) -> Choice:
    """Read a choice from a configuration; InputError names what is unknown."""
    known = [field.name for field in fields(Choice)]
    if strange := [name for name in said if name not in known]:
        raise InputError(f"choice: there is no {', '.join(strange)}; there are {', '.join(known)}")
    folder = {"weights": Path(said["weights"])} if said.get("weights") else {}
    return Choice(**{**said, **folder, "tables": tuple(said.get("tables", ()))})


def see_people(choice: Choice = Choice()) -> Graph:
    """See people, their tracks and joints with the models that come along.

    BlazePose reads those whom MoveNet has found, with Lightning.
    """
    model = choice.pose_model or POSE_MODELS[0]
    if not model.startswith("blazepose"):
        return lifting((decode(), people(Options(**_said(pose_model=model, raw=choice.raw)))))
    found = people(Options(pose_model="lightning", **_said(raw=choice.raw)))
    return lifting((decode(), found, blazepose(model, choice.weights)))


def lifting(graph: Graph) -> Graph:
    """Have joints that a graph sees in the picture lifted, and said what is done with them."""
    written = {column for stage in graph for column in stage.writes}
    source = next((column for column in LIFTED if column in written), None)
    return (*graph, lift(source), act()) if source else graph


def detect(choice: Choice) -> Graph:
    """See people and their tracks with an R-CNN."""
    from muybridge.stages import detect as stage

    options = stage.Options(**_looking(choice))
    found = stage.detect(choice.detector or DETECTORS[0], choice.weights, options)
    return lifting((decode(), found))


def openpose(choice: Choice) -> Graph:
    """See people, their tracks and joints with OpenPose."""
    from muybridge.models.openpose.predict import Options
    from muybridge.stages.openpose import openpose as stage

    options = Options(**_said(height=choice.size, precision=choice.precision))
    return lifting((decode(), stage(choice.model or OPENPOSE[0], choice.weights, options)))


def densepose(choice: Choice) -> Graph:
    """See people, their tracks and the surface of their bodies with DensePose.

    Its own detector looks in the same pass, unless another is wanted or not every frame is to be
    looked at. Where nobody asks for surfaces there is only the detector.
    """
    from muybridge.stages.densepose import densepose as read
    from muybridge.stages.detect import Options
    from muybridge.stages.detect import detect as find

    model, options = choice.model or DENSEPOSE, Options(**_looking(choice))
    detector = choice.detector or model
    if _asked(choice, "densepose") and detector == model and options.every == 1:
        return (decode(), read(model, choice.weights, options))
    found = find(detector, choice.weights, options)
    return lifting((decode(), found, read(model, choice.weights, options, own=False)))


def vibe(choice: Choice) -> Graph:
    """See people, their tracks, joints if what finds them gives any, and their bodies with VIBE."""
    from muybridge.stages import detect, vibe

    said = _said(
        focal=choice.focal,
        smooth=choice.smooth,
        refine=choice.refine,
        still=choice.still,
        precision=choice.precision,
    )
    if choice.detector is None:
        found = people(Options(before=vibe.CONTEXT))
    else:
        looking = detect.Options(**_looking(choice), before=vibe.CONTEXT)
        found = detect.detect(choice.detector, choice.weights, looking)
    joints = _joints(found)
    model, body = choice.model or VIBE[0], choice.body or BODIES[0]
    read = vibe.vibe(model, body, choice.weights, vibe.Options(**said), joints)
    return (*lifting((decode(), found)), read)


def multitask(choice: Choice) -> Graph:
    """See people, their tracks, joints and actions with SPNet, and what finds people sees."""
    from muybridge.stages import multitask as stage

    said = _said(window=choice.window, stride=choice.stride, precision=choice.precision)
    options = stage.Options(**said, joints=_asked(choice, "keypoints", "joints3d"))
    reading = stage.multitask(choice.model or SPNET[0], choice.weights, options)
    return (*lifting((decode(), _finding(choice))), reading)


def action(choice: Choice) -> Graph:
    """Say what is done in a video and by each person in it, by a network taught on Kinetics."""
    from muybridge.stages import action as stage

    said = _said(stride=choice.stride, precision=choice.precision)
    watching = stage.action(choice.model or VIDEO[0], choice.weights, stage.Options(**said))
    return (*lifting((decode(), _finding(choice))), watching)


def triangulation(choice: Choice) -> Graph:
    """See people, their tracks and joints, and of sessions joints in the world by a network."""
    from muybridge.stages import triangulate as stage

    found = _finding(choice)
    joints = _joints(found)
    options = stage.Options(**_said(precision=choice.precision))
    placing = stage.triangulate(choice.model or TRIANGULATION[0], choice.weights, options, joints)
    return (*lifting((decode(), found)), placing)


def _joints(found: Stage) -> str:
    """Name the column of joints that a stage sees in the picture; none is ""."""
    return next((column for column in LIFTED if column in found.writes), "")


def _finding(choice: Choice) -> Stage:
    """Make the stage that finds people: the default's, or an R-CNN if one is named."""
    if choice.detector is None:
        return people()
    from muybridge.stages import detect

    options = detect.Options(**_looking(choice))
    return detect.detect(choice.detector, choice.weights, options)


@dataclass(frozen=True)
class Kind:
    """Describe a graph: what it is for, how it is made, and which parts of a ``Choice`` it takes.

    ``needs`` names the weights of a choice, ``models`` those it takes for ``model``, ``step`` is
    what ``size`` is a multiple of; ``finds_people`` as the default does unless a detector is named.
    """

    about: str
    make: Callable[[Choice], Graph]
    needs: Callable[[Choice], tuple[str, ...]]
    takes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    step: int = 1
    finds_people: bool = False


BODY = ("body", "focal", "smooth", "refine", "still")
NETWORK = ("weights", "precision", "size")
RCNN = ("detector", *NETWORK, "min_score", "detect_every")
# fmt: off
GRAPHS: dict[str, Kind] = {
    "people": Kind("people and their joints, in the picture and in space (MoveNet)", see_people,
                   lambda choice: (), ("pose_model", "raw", "weights")),
    "detect": Kind("people (R-CNN); joints as well with Keypoint R-CNN", detect,
                   lambda choice: (choice.detector or DETECTORS[0],), RCNN),
    "openpose": Kind("people and their joints, all of a picture at once (OpenPose)", openpose,
                     lambda choice: (choice.model or OPENPOSE[0],), ("model", *NETWORK), OPENPOSE,
                     step=16),
    "densepose": Kind("people and the surface of their bodies (DensePose)", densepose,
                      lambda choice: _two(choice), ("model", *RCNN), tuple(VARIANTS)),
    "vibe": Kind("people, their joints and their bodies (SMPL, by VIBE)", vibe,
                 lambda choice: _three(choice), ("model", *RCNN, *BODY), VIBE, finds_people=True),
    "multitask": Kind("people, their joints and what they do (SPNet)", multitask,
                      lambda choice: _beside(choice, SPNET[0], "actions", "keypoints", "joints3d"),
                      ("model", *RCNN, "window", "stride"), SPNET, finds_people=True),
    "action": Kind("people and what is done, by them and in all of the picture (Kinetics)", action,
                   lambda choice: _beside(choice, VIDEO[0], "actions"),
                   ("model", *RCNN, "stride"), VIDEO, finds_people=True),
    "triangulation": Kind("people of sessions, their joints in the world by a network (Iskakov)",
                          triangulation,
                          lambda choice: _beside(choice, TRIANGULATION[0], "joints3d"),
                          ("model", *RCNN), TRIANGULATION, finds_people=True),
}
# fmt: on


def build(choice: Choice = Choice()) -> Graph:
    """Make the graph that is wanted, or raise InputError with everything that is wrong with it.

    Weights that are here are read once, so that WeightsError tells at once if they do not fit; what
    is not here the stages miss (``graph.ready``).
    """
    graph = _made(choice)
    graph = chosen(graph, choice.tables) if choice.tables else graph
    if found := _unfit(choice):
        raise WeightsError(listed(f"the graph {choice.graph} cannot be made so", found))
    return graph


def needs(choice: Choice) -> tuple[str, ...]:
    """Name the published weights that a choice works with; InputError if it is no good choice."""
    _made(choice)
    return tuple(name for name in GRAPHS[choice.graph].needs(choice) if name in FILES)


def written(graph: Graph) -> tuple[str, ...]:
    """Name the tables that get rows from a graph."""
    columns = {column for stage in graph for column in stage.writes}
    return tuple(name for name in SCHEMAS if columns.intersection(SOURCES[name]))


def described() -> str:
    """Describe each graph as it is if nothing is said, and whether what it needs is here."""
    lines = list[str]()
    for name, kind in GRAPHS.items():
        graph = kind.make(Choice(name))
        here = "not here" if any(stage.missing() for stage in graph) else "here"
        needs = kind.needs(Choice(name)) or ("nothing but what comes along",)
        lines += [
            f"{name}: {kind.about}",
            f"  stages   {', '.join(stage.name for stage in graph)}",
            f"  tables   {', '.join(written(graph))}",
            f"  needs    {', '.join(needs)} ({here})",
            f"  options  {' '.join(map(_option, (*kind.takes, 'tables')))}",
        ]
    return "\n".join(lines)


def chosen(graph: Graph, tables: Iterable[str]) -> Graph:
    """Keep the stages that some tables need, and of what they write the columns that are needed."""
    wanted = sources(tables)
    kept = needed(graph, wanted)
    columns = wanted.union(*(stage.reads for stage in kept))
    return tuple(_only(stage, columns) for stage in kept)


def _only(stage: Stage, columns: frozenset[str]) -> Stage:
    """Have a stage write none but these columns."""
    kept = tuple(column for column in stage.writes if column in columns)
    if kept == stage.writes:
        return stage

    def load() -> Run:
        run = stage.load()
        return lambda clips: [{name: made[name] for name in kept} for made in run(clips)]

    return replace(stage, load=load, writes=kept, identity={**stage.identity, "writes": kept})


def _made(choice: Choice) -> Graph:
    """Make all stages of the graph that is wanted, or raise InputError with all that is wrong."""
    if choice.graph not in GRAPHS:
        raise InputError(f"there is no graph {choice.graph!r}; there are {', '.join(GRAPHS)}")
    kind = GRAPHS[choice.graph]
    if found := [*_misplaced(choice, kind), *_mistaken(choice, kind)]:
        raise InputError(listed(f"the graph {choice.graph} cannot be made so", found))
    graph = kind.make(choice)
    if found := _unwritten(choice, graph):
        raise InputError(listed(f"the graph {choice.graph} cannot be made so", found))
    return graph


def _asked(choice: Choice, *tables: str) -> bool:
    """Tell whether any of some tables is wanted."""
    return not choice.tables or not set(tables).isdisjoint(choice.tables)


def _two(choice: Choice) -> tuple[str, ...]:
    """Name the weights that read surfaces, if any are wanted, and those that find people."""
    model = choice.model or DENSEPOSE
    asked = [model] if _asked(choice, "densepose") else []
    return tuple(dict.fromkeys([*asked, choice.detector or model]))


def _three(choice: Choice) -> tuple[str, ...]:
    """Name the weights that read bodies, and those that find people if it is not the default."""
    from muybridge.stages.vibe import files

    read = files(choice.model or VIBE[0], choice.body or BODIES[0])
    asked = _asked(choice, "bodies")
    return (*(read if asked else ()), *([choice.detector] if choice.detector else []))


def _beside(choice: Choice, model: str, *tables: str) -> tuple[str, ...]:
    """Name the weights that some tables need, and those that find people if not the default."""
    return (
        *([choice.model or model] if _asked(choice, *tables) else []),
        *([choice.detector] if choice.detector else []),
    )


def _looking(choice: Choice) -> dict[str, Any]:
    """Give the options of the stages that look with an R-CNN, as far as they were said."""
    return _said(
        min_score=choice.min_score,
        size=choice.size,
        every=choice.detect_every,
        precision=choice.precision,
    )


def _said(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _misplaced(choice: Choice, kind: Kind) -> list[str]:
    """List what was said that means nothing to this graph."""
    takes = {"graph", "tables", *kind.takes}
    said = [field.name for field in fields(Choice) if getattr(choice, field.name) is not None]
    taken = (
        f"it takes {', '.join(map(_option, kind.takes))}" if kind.takes else "it takes no options"
    )
    return [f"{_option(name)}: means nothing to it; {taken}" for name in said if name not in takes]


def _mistaken(choice: Choice, kind: Kind) -> list[str]:
    """List what was said that has no such value."""
    faults = [
        _known("pose_model", choice.pose_model, POSE_MODELS),
        _known("model", choice.model, kind.models),
        _known("detector", choice.detector, DETECTORS),
        _known("precision", choice.precision, PRECISIONS),
        _known("body", choice.body, BODIES),
        *(_known("tables", name, tuple(SCHEMAS)) for name in choice.tables),
    ]
    if choice.size is not None and (choice.size < 32 or choice.size % kind.step):
        more = f", in steps of {kind.step}" if kind.step > 1 else ""
        faults.append(f"--size: is {choice.size}; give 32 or more pixels{more}")
    if choice.min_score is not None and not 0 <= choice.min_score <= 1:
        faults.append(f"--min-score: is {choice.min_score:g}; give 0 to 1")
    if choice.detect_every is not None and choice.detect_every < 1:
        faults.append(f"--detect-every: is {choice.detect_every}; give 1 or more frames")
    if choice.focal is not None and choice.focal <= 0:
        faults.append(f"--focal: is {choice.focal:g}; give pixels, more than 0")
    if choice.still is not None and choice.still < 0:
        faults.append(f"--still: is {choice.still:g}; give grey levels, 0 for never")
    if choice.window not in (None, *WINDOWS):
        faults.append(f"--window: is {choice.window}; give {' or '.join(map(str, WINDOWS))}")
    if choice.stride is not None and choice.stride < 1:
        faults.append(f"--stride: is {choice.stride}; give 1 or more")
    if choice.weights is not None and not choice.weights.exists():
        faults.append(f"--weights: there is no {choice.weights}; give a file or a folder")
    return [*(fault for fault in faults if fault), *_alone(choice, kind)]


def _alone(choice: Choice, kind: Kind) -> list[str]:
    """List what was said that means nothing without something else that was not."""
    faults = list[str]()
    if kind.finds_people and choice.detector is None:
        faults += [
            f"{_option(name)}: is for an R-CNN, and MoveNet finds the people; name a --detector"
            for name in ("size", "min_score", "detect_every")
            if getattr(choice, name) is not None
        ]
    if choice.graph == "people" and choice.weights and choice.pose_model != POSE_MODELS[-1]:
        faults.append(
            f"--weights: is for --pose-model {POSE_MODELS[-1]}; the other pose models come along"
        )
    needed = kind.needs(choice)
    if choice.weights is not None and choice.weights.is_file() and len(needed) > 1:
        faults.append(
            f"--weights: {choice.weights} is one file, but {' and '.join(needed)} are needed; give "
            "the folder in which they are"
        )
    blind = not (choice.detector or "keypointrcnn").startswith("keypointrcnn")
    if choice.graph == "triangulation" and blind:
        faults.append(
            f"--detector: cameras agree on people by their joints, and {choice.detector} finds "
            "none; leave it out, or give keypointrcnn_resnet50_fpn"
        )
    if choice.refine and blind:
        faults.append(
            f"--refine: fits bodies to joints, and {choice.detector} finds none; leave --detector "
            "out, or give keypointrcnn_resnet50_fpn"
        )
    return faults


def _known(name: str, value: str | None, known: tuple[str, ...]) -> str:
    if value is None or value in known or not known:
        return ""
    return f"{_option(name)}: there is no {value!r}; there are {', '.join(known)}"


def _unwritten(choice: Choice, graph: Graph) -> list[str]:
    """List the tables asked for that the graph never fills."""
    there = written(graph)
    return [
        f"--tables: {name} gets no rows from it; {', '.join(there)} do"
        for name in choice.tables
        if name not in there
    ]


def _unfit(choice: Choice) -> list[str]:
    """List the weights that are here but do not fit: a worker would find out late, and not say."""
    faults = list[str]()
    for name in GRAPHS[choice.graph].needs(choice):
        from muybridge import weights

        if name in FILES and not weights.missing(name, choice.weights):
            try:
                weights.load(name, choice.weights)
            except WeightsError as error:
                faults.append(str(error))
    return sorted(faults)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
