"""Ask whether VIBE's motion discriminator helps: stick figures that move slowly, known by noise.

    python tests/benchmarks/vibe_training.py [--seeds 0 1 2] [--steps 1200] ...

A figure's joints turn by sums of slow sinusoids, each within its own limits. Features are one
random projection of the pose for all, with noise that knows nothing of the frame before, as a
backbone's errors do. As in VIBE's data sets most tracks are known by joints in the picture alone,
which a detector has missed by a little, and a few by the body itself.

The discriminator is first asked alone: it learns to tell windows of motion from the same windows
with their frames shuffled, and then judges windows that it has not seen (accuracy).

Then generators learn that start from the same weights, see the same windows in the same order and
differ in one thing: with the motion loss, and without. They are judged on tracks that nobody has
learnt from: the acceleration error (mm a frame², the mean length of the difference of second
differences) and the distance of joints from the hips (mm), over the 14 joints that VIBE is measured
on; and how fast the joints' speed changes (acceleration) in what they made and in truth. Prints
JSON, for every seed, and mean and standard deviation over them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
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
    "pelvis":         ((0.00,  0.00), (0.15, 0.50, 0.10)),
    "left_hip":       ((0.07,  0.08), (0.50, 0.15, 0.20)),
    "right_hip":      ((-0.07, 0.08), (0.50, 0.15, 0.20)),
    "spine1":         ((0.00, -0.12), (0.15, 0.10, 0.10)),
    "left_knee":      ((0.10,  0.47), (0.50, 0.05, 0.05)),
    "right_knee":     ((-0.10, 0.47), (0.50, 0.05, 0.05)),
    "spine2":         ((0.00, -0.26), (0.15, 0.10, 0.10)),
    "left_ankle":     ((0.09,  0.88), (0.25, 0.10, 0.10)),
    "right_ankle":    ((-0.09, 0.88), (0.25, 0.10, 0.10)),
    "spine3":         ((0.00, -0.32), (0.10, 0.10, 0.10)),
    "left_foot":      ((0.11,  0.94), (0.10, 0.05, 0.05)),
    "right_foot":     ((-0.11, 0.94), (0.10, 0.05, 0.05)),
    "neck":           ((0.00, -0.53), (0.20, 0.20, 0.15)),
    "left_collar":    ((0.08, -0.44), (0.05, 0.10, 0.10)),
    "right_collar":   ((-0.08, -0.44), (0.05, 0.10, 0.10)),
    "head":           ((0.00, -0.62), (0.15, 0.25, 0.10)),
    "left_shoulder":  ((0.17, -0.46), (0.40, 0.60, 0.60)),
    "right_shoulder": ((-0.17, -0.46), (0.40, 0.60, 0.60)),
    "left_elbow":     ((0.43, -0.45), (0.10, 0.70, 0.20)),
    "right_elbow":    ((-0.43, -0.45), (0.10, 0.70, 0.20)),
    "left_wrist":     ((0.68, -0.45), (0.20, 0.20, 0.20)),
    "right_wrist":    ((-0.68, -0.45), (0.20, 0.20, 0.20)),
    "left_hand":      ((0.76, -0.45), (0.05, 0.05, 0.05)),
    "right_hand":     ((-0.76, -0.45), (0.05, 0.05, 0.05)),
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
WAVES, SLOWEST, FASTEST = 4, 0.1, 1.2  # sinusoids of an angle, and their Hz
SCALE = 0.9  # of the camera: the figure fills its crop
FRAMES = 4 * LENGTH  # of a track
RATES = (1e-3, 3e-3)


@dataclass(frozen=True)
class Settings:
    """How much there is to learn from and how well it is known, and for how long.

    ``known`` is the share of tracks of which the body is known; ``noise`` is that of the features,
    in radians of their pose, ``missed`` that of joints in the picture, in half sides of the crop.
    """

    tracks: int = 48
    known: float = 0.125
    noise: float = 0.3
    missed: float = 0.04
    mocap: int = 400
    judged: int = 40
    batch: int = 16
    steps: int = 1200
    motion: float = 0.5
    features: int = 96
    width: int = 64
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


def moved(draw: np.random.Generator, count: int, frames: int = FRAMES) -> Floats:
    """Move figures: axis-angles (count, frames, 72), sums of slow sinusoids round a posture."""
    reach = np.array([FIGURE[name][1] for name in JOINTS]).reshape(72)
    hertz = draw.uniform(SLOWEST, FASTEST, (count, 1, WAVES, 72))
    phase = draw.uniform(0, 2 * np.pi, (count, 1, WAVES, 72))
    share = draw.dirichlet(np.ones(WAVES + 1), (count, 72)).transpose(0, 2, 1)[:, None]
    seconds = np.arange(frames)[:, None, None] / FPS
    waves = np.sin(2 * np.pi * hertz * seconds + phase)
    posture = draw.choice([-1, 1], (count, 1, 72)) * share[:, :, 0]
    return (reach * (posture + (share[:, :, 1:] * waves).sum(2))).astype(np.float32)


class World:
    """Hold what is the same for all tracks: the figure, and how features show a pose."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.draw = np.random.default_rng(seed)
        self.stick = Stick()
        self.shown = self.draw.normal(0, 72**-0.5, (72, settings.features))

    def tracks(self, count: int) -> list[Example]:
        """Make tracks and all that is true of them."""
        angles = moved(self.draw, count)
        betas = np.repeat(self.draw.normal(0, 1, (count, 1, 10)), FRAMES, 1)
        shift = moved(self.draw, count)[..., :2] * 0.2
        camera = np.concatenate([np.full((count, FRAMES, 1), SCALE), shift], -1)
        theta = np.concatenate([camera, angles, betas], -1).astype(np.float32)
        turns = matrix_from_axis_angle(torch.from_numpy(angles).reshape(-1, 24, 3))
        flat = torch.from_numpy(theta).flatten(0, 1)
        joints = self.stick(flat[:, 75:], turns)
        crop = projected(joints, flat[:, :3]).reshape(count, FRAMES, 49, 2).numpy()
        noisy = angles + self.draw.normal(0, self.settings.noise, angles.shape)
        return [
            {
                "features": (noisy[i] @ self.shown).astype(np.float32),
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
        angles = torch.from_numpy(moved(self.draw, count)[..., 3:]).flatten(0, 1)
        starts = torch.arange(count)[:, None] * FRAMES + torch.arange(FRAMES - LENGTH + 1)
        return Motions(angles, starts.flatten())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    for name, value in asdict(Settings()).items():
        options.add_argument(f"--{name}", type=type(value), default=value)
    given = vars(options.parse_args())
    seeds = given.pop("seeds")
    settings = Settings(**given)
    torch.set_num_threads(1)
    print(json.dumps(report(settings, [trial(settings, seed) for seed in seeds]), indent=1))


def trial(settings: Settings, seed: int) -> dict[str, dict[str, float]]:
    """Ask the discriminator alone, then train with it and without, and judge both."""
    found = {"shuffled": told(seed)}
    world = World(settings, seed)
    taught, judged = world.taught(world.tracks(settings.tracks)), world.tracks(settings.judged)
    motions = world.motions(settings.mocap)
    for arm, weight in (("without", 0.0), ("with", settings.motion)):
        torch.manual_seed(seed)
        network = Generator(Config(settings.features, settings.width, 1, settings.width))
        judge = Discriminator(discriminator.Config(width=settings.judge))
        lessons = Lessons(network, world.stick, motions, judge, Weights(motion=weight))
        seconds = learn(lessons, taught, settings, seed)
        found[arm] = {**judged_by_truth(network, world.stick, judged), "cpu_s": seconds}
        print(seed, arm, found[arm], file=sys.stderr, flush=True)
    return found


def told(seed: int, steps: int = 600, width: int = 64, held_out: int = 500) -> dict[str, float]:
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


def learn(lessons: Lessons, windows: Sequence[Example], settings: Settings, seed: int) -> float:
    """Take steps in turns, as ``run.train`` does; return CPU seconds."""
    draw = np.random.default_rng(seed)
    turns = {
        part: optimiser(lessons.get_submodule(part).parameters())
        for part, optimiser in optimisers(*RATES).items()
    }
    if not lessons.weights.motion:
        turns.pop("discriminator")
    start = time.process_time()
    for _ in range(settings.steps):
        chosen = draw.choice(len(windows), settings.batch, replace=False)
        examples = [windows[i] for i in chosen]
        for part, optimiser in turns.items():
            losses = lessons(examples, part)
            optimiser.zero_grad()
            sum(losses.values()).backward()
            optimiser.step()
    return round(time.process_time() - start, 1)


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


def report(settings: Settings, trials: list[dict[str, dict[str, float]]]) -> dict[str, object]:
    """Put seeds together: mean and standard deviation, and what the motion loss gains in each."""
    spread = {
        arm: {
            name: [round(float(f([t[arm][name] for t in trials])), 4) for f in (np.mean, np.std)]
            for name in trials[0][arm]
        }
        for arm in trials[0]
    }
    gains = {
        name: [round(t["with"][name] - t["without"][name], 3) for t in trials]
        for name in ("acceleration_error", "distance")
    }
    rounded = [
        {arm: {k: round(v, 4) for k, v in values.items()} for arm, values in t.items()}
        for t in trials
    ]
    about = {"rates": RATES, "torch": torch.__version__, "threads": torch.get_num_threads()}
    return {
        "settings": {**asdict(settings), **about},
        "with - without by seed": gains,
        "mean and standard deviation": spread,
        "seeds": rounded,
    }


if __name__ == "__main__":
    main()
