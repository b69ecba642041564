"""Ask whether a teacher that fills in the supervision helps: DensePose on puppets (``figures``).

    python tests/benchmarks/densepose_teacher.py [--seeds 0 1 2] [--people 64] [--points 45] ...

For each seed puppets are annotated at some points each, as people are in COCO. The teacher is
trained on these points alone and then fills the drawn bodies. Students that start from the same
weights, see the same puppets in the same order for as many steps and differ in their supervision
alone are judged on puppets that nobody has learnt from, at every pixel of their bodies:

    points      learns from the annotated points
    longer      learns from them for twice as many steps
    inpainted   learns from what the teacher filled in, with the annotated points kept
    everything  learns from the truth at the same places: the most that filling in could give

The student is the product's head and predictor, narrow and short, on a backbone of four
convolutions. U and V weigh the same in all: their loss is a sum over points, so its weight is
divided by how many there are. Prints JSON: of body pixels the share with the right part (part),
with the right part and within a tenth and a fifth of its extent (within_10, within_20), the mean
miss where the part is right (miss), the CPU seconds of learning (cpu_s); for every seed, and mean
and standard deviation over them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from figures import SIDE, Figure, figure
from torch import nn

from muybridge.models.densepose import boxes, teacher, training
from muybridge.models.densepose.annotations import SQUARE, Person
from muybridge.models.densepose.config import Config
from muybridge.models.densepose.losses import Weights
from muybridge.models.densepose.postprocess import surfaces
from muybridge.models.densepose.preprocess import batch
from muybridge.models.densepose.surface import Head, Predictor

NETWORK = Config(pooled=14, width=64, layers=3, min_size=SIDE, max_size=SIDE)
BATCH, RATE, HELD_OUT = 8, 2e-3, 1_000_000  # HELD_OUT: the first seed of puppets to be judged on
DENSE = 200  # of the filled in points a person, drawn anew for each step
UV = 6.75  # weight of U and V over all points of a person; official: 0.01 at some 5000 a batch


@dataclass(frozen=True)
class Settings:
    """How much there is to learn from, and for how long."""

    people: int
    points: int
    steps: int
    teacher_steps: int
    judged: int
    arms: tuple[str, ...]


class Small(nn.Module):
    """A network of DensePose's shape that learns in a minute on one core."""

    def __init__(self) -> None:
        super().__init__()
        self.config = NETWORK
        self.backbone = nn.Sequential(
            layer(3, 24, 2), layer(24, 48, 2), layer(48, 64), layer(64, 64), nn.Conv2d(64, 256, 1)
        )
        self.head = Head(NETWORK)
        self.predictor = Predictor(NETWORK)
        training.forget(self)

    def features(self, pictures):
        return [self.backbone(pictures / 64)]

    def read(self, maps, people):
        return self.predictor(self.head(boxes.pool(maps[0], people, 4, NETWORK.pooled)))


def layer(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(8, outputs), nn.ReLU(inplace=True))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    for name, value in (("people", 64), ("points", 45), ("steps", 400), ("judged", 80)):
        options.add_argument(f"--{name}", type=int, default=value)
    options.add_argument("--teacher-steps", type=int, default=600)
    arms = ("points", "longer", "inpainted", "everything")
    options.add_argument("--arms", nargs="+", default=arms, choices=arms)
    given = vars(options.parse_args())
    seeds = given.pop("seeds")
    settings = Settings(**given | {"arms": tuple(given["arms"])})
    torch.set_num_threads(1)
    print(json.dumps(report(settings, [trial(settings, seed) for seed in seeds]), indent=1))


def trial(settings: Settings, seed: int) -> dict[str, dict[str, float]]:
    """Train the teacher and the students of one seed, and judge them."""
    puppets = [figure(10_000 * seed + i, settings.points) for i in range(settings.people)]
    judged = [figure(HELD_OUT + i) for i in range(settings.judged)]
    points = [(puppet.picture, [puppet.person]) for puppet in puppets]
    mean = float(np.mean([len(puppet.person.x) for puppet in puppets]))
    found: dict[str, dict[str, float]] = {"data": {"points": mean}}
    given = {"points": points, "longer": points}
    if "inpainted" in settings.arms:
        found["teacher"], given["inpainted"] = taught(settings, seed, puppets, points)
    given["everything"] = [(p.picture, [known(p)]) for p in puppets]
    for arm in settings.arms:
        most = round(mean) if arm in ("points", "longer") else DENSE
        torch.manual_seed(seed)
        network = Small()
        how = training.Config(Weights(uv=UV / most), points=most)
        steps = settings.steps * (2 if arm == "longer" else 1)
        seconds = learn(training.Lessons(network, how), given[arm], steps, seed)
        found[arm] = {**judge(network, judged), "cpu_s": seconds}
        print(seed, arm, found[arm], file=sys.stderr, flush=True)
    return found


def taught(settings: Settings, seed: int, puppets: Sequence[Figure], points):
    """Train a teacher on points; say how well it fills in, and what it made."""
    torch.manual_seed(seed)
    network = teacher.Teacher(teacher.Config(side=48, width=24))
    lessons = teacher.Lessons(network, Weights(uv=UV / settings.points))
    seconds = learn(lessons, points, settings.teacher_steps, seed)
    network.eval()
    filled = [(picture, teacher.inpainted(network, picture, people)) for picture, people in points]
    right, near = [], []
    for puppet, (_, (person,)) in zip(puppets, filled, strict=True):
        wanted = known(puppet)
        right.append(person.part == wanted.part)
        near.append(np.hypot(person.u - wanted.u, person.v - wanted.v) < 0.1)
    right, near = np.concatenate(right), np.concatenate(near)
    quality = {"part": float(right.mean()), "within_10": float((right & near).mean())}
    return {**quality, "cpu_s": seconds}, filled


def known(puppet: Figure) -> Person:
    """A puppet with the truth at the points that a teacher would fill in."""
    bare = teacher.grid(puppet.person, 4)
    left, top, right, bottom = puppet.person.box
    x = (left + bare.x * (right - left) / SQUARE).astype(int).clip(0, SIDE - 1)
    y = (top + bare.y * (bottom - top) / SQUARE).astype(int).clip(0, SIDE - 1)
    more = replace(bare, part=puppet.part[y, x], u=puppet.u[y, x], v=puppet.v[y, x])
    return teacher.joined(puppet.person, more)


def learn(lessons: nn.Module, examples, steps: int, seed: int) -> float:
    """Take steps of Adam, the rate rising and falling once; return CPU seconds."""
    draw = np.random.default_rng(seed)
    learnt = [p for p in lessons.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(learnt, RATE)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    start = time.process_time()
    for _ in range(steps):
        chosen = draw.choice(len(examples), BATCH, replace=False)
        loss = sum(lessons([examples[i] for i in chosen]).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    return round(time.process_time() - start, 1)


@torch.inference_mode()
def judge(network: Small, puppets: Sequence[Figure]) -> dict[str, float]:
    """Read the surface of puppets as the product does, and compare every pixel of their bodies."""
    right, miss = [], []
    for puppet in puppets:
        pixels = batch([puppet.picture], NETWORK).pixels
        box = torch.from_numpy(puppet.person.box)[None]
        seen = surfaces(network.read(network.features(pixels), [box]), box)[0]
        left, top, far, low = seen.box
        part, u, v = (a[top:low, left:far] for a in (puppet.part, puppet.u, puppet.v))
        body = part > 0
        uv = seen.uv[body] / 255
        right.append(seen.parts[body] == part[body])
        miss.append(np.hypot(uv[:, 0] - u[body], uv[:, 1] - v[body]))
    right, miss = np.concatenate(right), np.concatenate(miss)
    within = {f"within_{n}": float((right & (miss < n / 100)).mean()) for n in (10, 20)}
    return {"part": float(right.mean()), **within, "miss": float(miss[right].mean())}


def report(settings: Settings, trials: list[dict[str, dict[str, float]]]) -> dict[str, object]:
    """Put seeds together: mean and standard deviation, and how much inpainting gains in each."""
    spread = {
        arm: {
            name: [round(float(f([t[arm][name] for t in trials])), 4) for f in (np.mean, np.std)]
            for name in trials[0][arm]
        }
        for arm in trials[0]
    }
    gains = {
        f"inpainted - {arm}": [
            round(t["inpainted"]["within_10"] - t[arm]["within_10"], 4) for t in trials
        ]
        for arm in settings.arms
        if "inpainted" in settings.arms and arm != "inpainted"
    }
    rounded = [
        {arm: {k: round(v, 4) for k, v in values.items()} for arm, values in t.items()}
        for t in trials
    ]
    about = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    return {
        "settings": {**asdict(settings), "batch": BATCH, **about},
        "gain in within_10 by seed": gains,
        "mean and standard deviation": spread,
        "seeds": rounded,
    }


if __name__ == "__main__":
    main()
