"""Ask whether VIBE's motion discriminator helps: stick figures that move slowly.

    python tests/benchmarks/vibe_training.py [--seeds 0 1 2] [--steps 800] ...

A figure's joints turn together, by sums of slow sinusoids, each joint within its own limits.
Features are one random projection of the pose for all; they are off, by noise that knows nothing of
the frame before, towards other poses that could well be, as a backbone's are. As in VIBE's data
sets most tracks are known by joints in the picture alone, which a detector has missed by a little,
and a few by the body itself.

The discriminator is first asked alone: it learns to tell windows of motion from windows whose
frames are shuffled, and then judges windows of other motions (shuffled: accuracy).

Then generators learn that start from the same weights, see the same windows in the same order and
differ in the weight of the motion loss alone: 0, the article's 0.5, and 5. The networks are small
and learn faster than the article's; the regressor drops nothing out, which in one so narrow would
be more noise than the features have. They are judged on tracks that nobody has learnt from, after
each quarter of the steps (a quarter-way generator shows what learning less alone would do): the
acceleration error (mm a frame², the mean length of the difference of second differences) and the
distance of joints from where they are (mm), both from the hips, over the 14 joints that VIBE is
measured on; and the acceleration of what they make and of the truth. Prints JSON, for every seed,
and mean and standard deviation over them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from muybridge.geometry.rotations import matrix_from_axis_angle
from muybridge.geometry.smpl import FROM54, JOINTS, JOINTS54, walked
from muybridge.models.vibe import discriminator
from muybridge.models.vibe.discriminator import Discriminator
from muybridge.models.vibe.examples import FPS, Example, Motions
from muybridge.models.vibe.losses import Weights, centred, discriminator_losses
from muybridge.models.vibe.model import Config, Generator
from muybridge.models.vibe.postprocess import projected
from muybridge.models.vibe.tracks import LENGTH
from muybridge.models.vibe.training import Lessons, optimisers

Floats = NDArray[np.float32]

# joint: where it is at rest in metres (x to the figure's left, y down), and how far it turns
# about x, y and z, in radians
# fmt: off
FIGURE = {
    "pelvis":         ((0.00,  0.00), (0.30, 1.00, 0.20)),
    "left_hip":       ((0.07,  0.08), (1.00, 0.30, 0.40)),
    "right_hip":      ((-0.07, 0.08), (1.00, 0.30, 0.40)),
    "spine1":         ((0.00, -0.12), (0.30, 0.20, 0.20)),
    "left_knee":      ((0.10,  0.47), (1.00, 0.10, 0.10)),
    "right_knee":     ((-0.10, 0.47), (1.00, 0.10, 0.10)),
    "spine2":         ((0.00, -0.26), (0.30, 0.20, 0.20)),
    "left_ankle":     ((0.09,  0.88), (0.50, 0.20, 0.20)),
    "right_ankle":    ((-0.09, 0.88), (0.50, 0.20, 0.20)),
    "spine3":         ((0.00, -0.32), (0.20, 0.20, 0.20)),
    "left_foot":      ((0.11,  0.94), (0.20, 0.10, 0.10)),
    "right_foot":     ((-0.11, 0.94), (0.20, 0.10, 0.10)),
    "neck":           ((0.00, -0.53), (0.40, 0.40, 0.30)),
    "left_collar":    ((0.08, -0.44), (0.10, 0.20, 0.20)),
    "right_collar":   ((-0.08, -0.44), (0.10, 0.20, 0.20)),
    "head":           ((0.00, -0.62), (0.30, 0.50, 0.20)),
    "left_shoulder":  ((0.17, -0.46), (0.80, 1.20, 1.20)),
    "right_shoulder": ((-0.17, -0.46), (0.80, 1.20, 1.20)),
    "left_elbow":     ((0.43, -0.45), (0.20, 1.40, 0.40)),
    "right_elbow":    ((-0.43, -0.45), (0.20, 1.40, 0.40)),
    "left_wrist":     ((0.68, -0.45), (0.40, 0.40, 0.40)),
    "right_wrist":    ((-0.68, -0.45), (0.40, 0.40, 0.40)),
    "left_hand":      ((0.76, -0.45), (0.10, 0.10, 0.10)),
    "right_hand":     ((-0.76, -0.45), (0.10, 0.10, 0.10)),
}
# fmt: on
STANDS_FOR = {  # which joint of the figure a joint is that lies on the skin
    "hip": "hip",
    "heel": "ankle",
    "toe": "foot",
    "thumb": "hand",
    "index": "hand",
    "middle": "hand",
    "ring": "hand",
    "pinky": "hand",
    "spine": "spine2",
    "thorax": "spine3",
    "pelvis": "pelvis",
    "neck": "neck",
}  # fmt: skip
REACH = np.array([FIGURE[name][1] for name in JOINTS]).reshape(72)
POSTURE = 0.3  # of a joint's reach; it moves over the rest
MOVES, WAVES, HERTZ = 8, 3, (0.1, 1.5)  # movements of the whole figure, sinusoids of each, their Hz
TOGETHER = np.random.default_rng(2020).dirichlet(np.full(MOVES, 0.5), 72).T  # how joints share them
TOGETHER *= np.random.default_rng(2021).choice([-1, 1], TOGETHER.shape)
SCALE = 0.9  # of the camera: the figure fills its crop
FRAMES = 4 * LENGTH  # of a track
RATES = (3e-4, 3e-3)  # of generator and discriminator
ARMS = {"without": 0.0, "article": Weights().motion, "strong": 5.0}  # weights of the motion loss
QUARTERS = 4
MEASURES = (np.mean, np.std)


@dataclass(frozen=True)
class Settings:
    """How much there is to learn from and how well it is known, and for how long.

    ``known`` is the share of tracks of which the body is known; ``noise`` is that of the features,
    in parts of the movements, ``missed`` that of joints in the picture, in half sides of the crop.
    """

    tracks: int = 48
    known: float = 0.125
    noise: float = 0.1
    missed: float = 0.04
    mocap: int = 400
    judged: int = 40
    batch: int = 16
    steps: int = 800
    features: int = 48
    width: int = 96
    judge: int = 64


class Stick(nn.Module):
    """Find the 49 joints of a stick figure, as ``geometry.smpl.Joints`` finds a body's."""

    def __init__(self) -> None:
        super().__init__()
        places = torch.tensor([(*FIGURE[name][0], 0.0) for name in JOINTS])
        self.register_buffer("rest", places)
        self.taken = [JOINTS.index(stands_for(JOINTS54[place])) for place in FROM54]

    def forward(self, betas: Tensor, rotations: Tensor) -> Tensor:
        """Find joints (N, 49, 3) of shapes (N, 10), the first being size, and rotations."""
        rest = self.rest * (1 + 0.05 * betas[:, :1, None])
        return walked(rest, rotations)[:, self.taken, :, 3]


def stands_for(name: str) -> str:
    if name in JOINTS:
        return name
    joint = next((joint for part, joint in STANDS_FOR.items() if part in name), "head")
    sided = joint in ("hip", "ankle", "foot", "hand")
    return f"{name.split('_')[0]}_{joint}" if sided else joint


def moved(draw: np.random.Generator, count: int, noise: float = 0) -> tuple[Floats, Floats]:
    """Move figures round a posture: axis-angles (count, FRAMES, 72), and as a backbone sees them.

    Joints move together, as a few slow movements have it; the same for all figures. What is seen
    is off along these movements by noise of its own in every frame: a pose that could well be.
    """
    hertz, phase = (draw.uniform(*ends, (count, 1, MOVES, WAVES)) for ends in (HERTZ, (0, 6.283)))
    seconds = np.arange(FRAMES)[:, None, None] / FPS
    moves = np.sin(2 * np.pi * hertz * seconds + phase).mean(-1)  # (count, FRAMES, MOVES)
    posture = POSTURE * draw.uniform(-1, 1, (count, 1, 72))
    off = draw.normal(0, noise, moves.shape)
    true, seen = (REACH * (posture + (1 - POSTURE) * m @ TOGETHER) for m in (moves, moves + off))
    return true.astype(np.float32), seen.astype(np.float32)


class World:
    """Hold what is the same for all tracks: the figure, and how features show a pose."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.draw = np.random.default_rng(seed)
        self.stick = Stick()
        self.shown = self.draw.normal(0, 72**-0.5, (72, settings.features))

    def tracks(self, count: int) -> list[Example]:
        """Make tracks and all that is true of them."""
        angles, seen = moved(self.draw, count, self.settings.noise)
        betas = np.repeat(self.draw.normal(0, 1, (count, 1, 10)), FRAMES, 1)
        shift = moved(self.draw, count)[0][..., :2] * 0.2
        camera = np.concatenate([np.full((count, FRAMES, 1), SCALE), shift], -1)
        theta = np.concatenate([camera, angles, betas], -1).astype(np.float32)
        turns = matrix_from_axis_angle(torch.from_numpy(angles).reshape(-1, 24, 3))
        flat = torch.from_numpy(theta).flatten(0, 1)
        joints = self.stick(flat[:, 75:], turns)
        crop = projected(joints, flat[:, :3]).reshape(count, FRAMES, 49, 2).numpy()
        return [
            {
                "features": (seen[i] @ self.shown).astype(np.float32),
                "joints_2d": np.concatenate([crop[i], np.ones((FRAMES, 49, 1), np.float32)], -1),
                "joints_3d": joints.reshape(count, FRAMES, 49, 3)[i].numpy(),
                "theta": theta[i],
                "has_joints": np.ones(FRAMES, np.float32),
                "has_body": np.ones(FRAMES, np.float32),
            }
            for i in range(count)
        ]

    def taught(self, tracks: Sequence[Example]) -> list[Example]:
        """Cut tracks into windows of which less is known than the truth."""
        known = round(self.settings.known * len(tracks))
        windows = []
        for number, track in enumerate(tracks):
            points = track["joints_2d"].copy()
            points[..., :2] += self.draw.normal(0, self.settings.missed, points[..., :2].shape)
            has = np.full(FRAMES, number < known, np.float32)
            less = {**track, "joints_2d": points, "has_joints": has, "has_body": has}
            starts = range(0, FRAMES - LENGTH + 1, LENGTH)
            windows += [{k: v[at : at + LENGTH] for k, v in less.items()} for at in starts]
        return windows

    def motions(self, count: int) -> Motions:
        """Give motion capture of other figures than those in the tracks."""
        angles = torch.from_numpy(moved(self.draw, count)[0][..., 3:]).flatten(0, 1)
        starts = torch.arange(count)[:, None] * FRAMES + torch.arange(FRAMES - LENGTH + 1)
        return Motions(angles, starts.flatten())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    for name, value in asdict(Settings()).items():
        options.add_argument(f"--{name}", type=type(value), default=value)
    given = vars(options.parse_args())
    seeds = given.pop("seeds")
    settings = Settings(**given)
    torch.set_num_threads(1)
    print(json.dumps(report(settings, [trial(settings, seed) for seed in seeds]), indent=1))


def trial(settings: Settings, seed: int) -> dict[str, list[dict[str, float]]]:
    """Ask the discriminator alone, then train generators, and judge them every quarter."""
    found = {"shuffled": [told(seed)]}
    world = World(settings, seed)
    taught, judged = world.taught(world.tracks(settings.tracks)), world.tracks(settings.judged)
    motions = world.motions(settings.mocap)
    for arm, weight in ARMS.items():
        torch.manual_seed(seed)
        network = Generator(Config(settings.features, settings.width, 1, settings.width))
        network.regressor.dropout.p = 0
        judge = Discriminator(discriminator.Config(width=settings.judge))
        lessons = Lessons(network, world.stick, motions, judge, Weights(motion=weight))
        found[arm] = [
            {**judged_by_truth(network, world.stick, judged), "cpu_s": seconds}
            for seconds in learn(lessons, taught, settings, seed)
        ]
        print(seed, arm, found[arm][-1], file=sys.stderr, flush=True)
    return found


def told(seed: int, steps: int = 200, width: int = 64, held_out: int = 500) -> dict[str, float]:
    """Teach a discriminator windows of motion and shuffled ones; say how often it is right."""
    torch.manual_seed(seed)
    world = World(Settings(), seed)
    learnt, others = world.motions(200), world.motions(100)
    judge = Discriminator(discriminator.Config(width=width))
    optimiser = optimisers(*RATES)["discriminator"](judge.parameters())
    start = time.process_time()
    for _ in range(steps):
        losses = discriminator_losses(judge(learnt.draw(32)), judge(shuffled(learnt.draw(32))))
        optimiser.zero_grad()
        sum(losses.values()).backward()
        optimiser.step()
    seconds = round(time.process_time() - start, 1)
    judge.eval()
    with torch.inference_mode():
        real, made = judge(others.draw(held_out)), judge(shuffled(others.draw(held_out)))
    right = torch.cat([real > 0.5, made <= 0.5])
    return {"accuracy": float(right.float().mean()), "cpu_s": seconds}


def shuffled(windows: Tensor) -> Tensor:
    """Put the frames of each window (N, T, 69) in an order drawn at random."""
    order = torch.rand(windows.shape[:2]).argsort(1)
    return windows.take_along_dim(order[..., None], 1)


def learn(
    lessons: Lessons, windows: Sequence[Example], settings: Settings, seed: int
) -> Iterator[float]:
    """Take steps in turns, as ``run.train`` does; give CPU seconds after every quarter."""
    draw = np.random.default_rng(seed)
    turns = {
        part: optimiser(lessons.get_submodule(part).parameters())
        for part, optimiser in optimisers(*RATES).items()
    }
    if not lessons.weights.motion:
        turns.pop("discriminator")
    spent = 0.0
    for _ in range(QUARTERS):
        start = time.process_time()
        lessons.train()
        for _ in range(settings.steps // QUARTERS):
            chosen = draw.choice(len(windows), settings.batch, replace=False)
            examples = [windows[i] for i in chosen]
            for part, optimiser in turns.items():
                losses = lessons(examples, part)
                optimiser.zero_grad()
                sum(losses.values()).backward()
                optimiser.step()
        spent += time.process_time() - start
        yield round(spent, 1)


@torch.inference_mode()
def judged_by_truth(
    network: Generator, stick: Stick, tracks: Sequence[Example]
) -> dict[str, float]:
    """Compare what a generator makes of tracks to what is true of them."""
    network.eval()
    features = torch.from_numpy(np.stack([track["features"] for track in tracks]))
    bodies, _ = network(features)
    made = stick(bodies.betas.flatten(0, 1), bodies.rotations.flatten(0, 1))
    true = torch.from_numpy(np.concatenate([track["joints_3d"] for track in tracks]))
    made, true = (1000 * centred(joints).unflatten(0, (-1, FRAMES)) for joints in (made, true))
    return {
        "acceleration_error": length(accelerations(made) - accelerations(true)),
        "distance": length(made - true),
        "acceleration": length(accelerations(made)),
        "true_acceleration": length(accelerations(true)),
    }


def accelerations(joints: Tensor) -> Tensor:
    """Take second differences over frames: (N, T, J, 3) to (N, T - 2, J, 3)."""
    return joints.diff(n=2, dim=1)


def length(values: Tensor) -> float:
    return float(values.norm(dim=-1).mean())


def report(
    settings: Settings, trials: list[dict[str, list[dict[str, float]]]]
) -> dict[str, object]:
    """Put seeds together: mean and standard deviation, and what the motion loss gains in each."""
    spread = {
        arm: [
            {
                name: [round(float(f([t[arm][i][name] for t in trials])), 3) for f in MEASURES]
                for name in quarter
            }
            for i, quarter in enumerate(trials[0][arm])
        ]
        for arm in trials[0]
    }
    gains = {
        f"{name}: {arm} - without": [
            round(t[arm][-1][name] - t["without"][-1][name], 2) for t in trials
        ]
        for name in ("acceleration_error", "distance")
        for arm in ARMS
        if arm != "without"
    }
    rounded = [
        {arm: [{k: round(v, 3) for k, v in each.items()} for each in found[arm]] for arm in found}
        for found in trials
    ]
    about = {"rates": RATES, "torch": torch.__version__, "threads": torch.get_num_threads()}
    return {
        "what": "tests/benchmarks/vibe_training.py, one thread of two shared CPU cores",
        "settings": {**asdict(settings), "weights": ARMS, **about},
        "at the end, by seed": gains,
        "mean and standard deviation after each quarter": spread,
        "seeds": rounded,
    }


if __name__ == "__main__":
    main()
