"""Teaching VIBE's generator, and the discriminator that it plays against."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from muybridge import checkpoints, weights
from muybridge.models.vibe import discriminator
from muybridge.models.vibe.checkpoint import GENERATOR
from muybridge.models.vibe.discriminator import BODY, Discriminator
from muybridge.models.vibe.losses import Weights
from muybridge.models.vibe.model import Config, Generator
from muybridge.models.vibe.postprocess import projected
from muybridge.models.vibe.training import TURNS, Lessons, authors, begun, optimisers, seen

ROOT = Path(__file__).parents[3]
JOB = ROOT / "jobs" / "train.py"
NETWORK = Config(features=12, width=16, layers=1, hidden=16)
JUDGE = discriminator.Config(width=8, dropout=0)


@pytest.fixture(scope="module")
def figures(imported) -> ModuleType:
    """The benchmark's stick figures, and how they move."""
    return imported(ROOT / "tests" / "benchmarks" / "vibe_training.py")


@pytest.fixture(scope="module")
def world(figures):
    return figures.World(figures.Settings(features=NETWORK.features, known=1.0), 0)


@pytest.fixture(scope="module")
def windows(world):
    """Eight windows, of which half are known in the picture alone."""
    known, others = (world.taught(world.tracks(1)) for _ in range(2))
    nothing = np.zeros(16, np.float32)
    return known + [{**each, "has_joints": nothing, "has_body": nothing} for each in others]


@pytest.fixture
def lessons(world):
    torch.manual_seed(0)
    network = Generator(NETWORK)
    network.regressor.dropout.p = 0
    return Lessons(network, world.stick, world.motions(4), Discriminator(JUDGE))


def learnt(module: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())


def steps(lessons, windows, count, rates=(2e-3, 2e-3)):
    """Take turns over the same windows; return each step's losses."""
    turns = optimisers(*rates)
    made = {part: turns[part](lessons.get_submodule(part).parameters()) for part in turns}
    found = []
    for _ in range(count):
        losses = {}
        for part, optimiser in made.items():
            told = lessons(windows, part)
            optimiser.zero_grad()
            sum(told.values()).backward()
            optimiser.step()
            losses |= {name: value.item() for name, value in told.items()}
        found.append(losses)
    return found


@pytest.mark.parametrize("count", [1, 3])
def test_a_turn_moves_its_own_part_alone(lessons, windows, count):
    losses = lessons(windows[:count], "generator")
    assert set(losses) == {"joints_2d", "joints_3d", "pose", "shape", "motion"}
    sum(losses.values()).backward()
    assert learnt(lessons.generator.encoder)
    assert learnt(lessons.generator.regressor)
    assert not learnt(lessons.discriminator)
    lessons.zero_grad()
    losses = lessons(windows[:count], "discriminator")
    assert set(losses) == {"real", "made"}
    sum(losses.values()).backward()
    assert learnt(lessons.discriminator)
    assert not learnt(lessons.generator)
    assert all(parameter.requires_grad for parameter in lessons.parameters())


def test_the_generator_takes_the_first_turn_and_rates_are_the_articles():
    turns = optimisers()
    assert tuple(turns) == TURNS == ("generator", "discriminator")
    rates = [turn([nn.Parameter(torch.zeros(1))]).param_groups[0]["lr"] for turn in turns.values()]
    assert rates == [5e-5, 1e-4]


def test_the_motion_loss_alone_reaches_the_generator_through_the_discriminator(lessons, windows):
    lessons.weights = Weights(0, 0, 0, 0, motion=1)
    losses = lessons(windows[:2], "generator")
    assert [name for name, loss in losses.items() if loss > 0] == ["motion"]
    sum(losses.values()).backward()
    assert learnt(lessons.generator.regressor.pose)
    assert learnt(lessons.generator.encoder)


def test_the_discriminator_sees_what_the_generator_makes_and_real_motion_in_equal_number(
    lessons, windows
):
    seen = []
    lessons.discriminator.register_forward_hook(lambda judge, given, scores: seen.append(given[0]))
    lessons(windows[:3], "discriminator")
    real, made = seen
    assert real.shape == made.shape == (3, 16, 69)
    features = torch.from_numpy(np.stack([each["features"] for each in windows[:3]]))
    torch.testing.assert_close(made, lessons.generator(features)[0].theta[..., BODY])
    real_frames = {tuple(frame.round(decimals=3).tolist()) for frame in lessons.motions.frames}
    assert all(tuple(f.round(decimals=3).tolist()) in real_frames for f in real.flatten(0, 1))


def test_what_is_shown_is_learnt(lessons, windows):
    found = steps(lessons, windows, 40)
    for name in ("joints_2d", "joints_3d", "pose"):
        assert found[-1][name] < 0.5 * found[0][name], name


def test_a_discriminator_that_learns_alone_tells_the_generators_motion_from_real(lessons, windows):
    found = steps(lessons, windows[:4], 40, rates=(0, 1e-2))
    assert found[-1]["real"] + found[-1]["made"] < 0.2 * (found[0]["real"] + found[0]["made"])


def test_what_is_unknown_does_not_matter(lessons, windows):
    wrong = {**windows[-1], "joints_3d": windows[0]["joints_3d"], "theta": windows[0]["theta"]}
    one, other = (lessons([windows[0], each], "generator") for each in (windows[-1], wrong))
    for name in one:
        torch.testing.assert_close(one[name], other[name])


def test_joints_are_seen_where_the_camera_has_them(lessons, windows):
    features = torch.from_numpy(np.stack([each["features"] for each in windows[:3]]))
    bodies, _ = lessons.generator(features)
    found = seen(bodies, lessons.joints)
    assert found.theta.shape == (3, 16, 85)
    assert found.joints_3d.shape == (3, 16, 49, 3)
    alone = lessons.joints(bodies.betas[1], bodies.rotations[1])
    torch.testing.assert_close(found.joints_3d[1], alone)
    torch.testing.assert_close(found.joints_2d[1], projected(alone, bodies.camera[1]))
    none, _ = lessons.generator(features[:0])
    assert seen(none, lessons.joints).joints_2d.shape == (0, 16, 49, 2)


@pytest.mark.golden
def test_a_generator_begins_with_spins_regressor_and_learns_from_there(hmr):
    torch.manual_seed(0)
    generator = begun(hmr.regressor)
    ours, theirs = generator.regressor.state_dict(), hmr.regressor.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert all(parameter.requires_grad for parameter in generator.parameters())
    features = torch.rand(2, 2048)
    with torch.no_grad():
        found = generator.eval().regressor(features)
    torch.testing.assert_close(found.theta, hmr.regressor(features).theta)


@pytest.mark.golden
def test_a_trained_generator_is_written_under_its_authors_names(generator):
    theirs = authors(generator.state_dict())
    assert "regressor.decpose.weight" in theirs
    back = checkpoints.filled(theirs, GENERATOR)
    for name, tensor in generator.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor)


@pytest.mark.slow
def test_motion_is_told_from_its_frames_shuffled(figures):
    """In windows that it has not seen, as the benchmark asks for several seeds."""
    assert figures.told(seed=0)["accuracy"] > 0.9


def files(folder, world, count=2):
    """Write tracks, motion capture, and one of each that is none."""
    for number, track in enumerate(world.tracks(count)):
        wide = np.tile(track["features"], (1, 256))[:, :2048]
        points = {"kp_2d": track["joints_2d"], "kp_3d": track["joints_3d"]}
        (folder / "tracks").mkdir(exist_ok=True)
        np.savez(folder / "tracks" / f"{number}.npz", features=wide, **points, theta=track["theta"])
        (folder / "mocap").mkdir(exist_ok=True)
        pose = track["theta"][:, 3:75]
        np.savez(folder / "mocap" / f"{number}.npz", poses=pose, mocap_framerate=np.array(25.0))
    np.savez(folder / "tracks" / "short.npz", features=wide[:3], kp_2d=points["kp_2d"][:3])
    np.savez(folder / "mocap" / "other.npz", trans=np.zeros((9, 3)))
    return str(folder / "tracks"), str(folder / "mocap")


def test_the_job_names_what_it_cannot_learn_from(tmp_path, world, train):
    tracks, mocap = files(tmp_path, world)
    said = train(str(tmp_path / "gone"), mocap, "--out", str(tmp_path / "out"))
    assert "/gone; give an NPZ file, or a folder of them" in said
    said = train(tracks, tracks, "--out", str(tmp_path / "out"))
    assert "short.npz: it has 3 frames, and a window has 16" in said
    assert not (tmp_path / "out").exists()


@pytest.fixture
def train(imported):
    """Run the job with what it cannot do; give what it says."""
    job = imported(JOB)

    def run(*options):
        done = CliRunner().invoke(job.app, ["vibe", *options])
        assert isinstance(done.exception, SystemExit)
        assert done.exit_code == 2
        return done.output.replace("\n", "")

    return run


def job(*options):
    done = subprocess.run(
        [sys.executable, JOB, "vibe", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.golden
@pytest.mark.ray
@pytest.mark.slow
def test_the_job_trains_a_generator_that_loads_like_a_published_one_and_goes_on(
    official, tmp_path, world
):
    folder = {official(name).parent for name in ("spin", "smpl_neutral", "smpl_regressor_extra")}
    out = tmp_path / "out"
    given = (*files(tmp_path, world), "--out", str(out), "--weights", str(*folder), "--batch=4")
    done = job(*given, "--epochs=1")
    assert "left out: " in done.stderr
    assert "short.npz: it has 3 frames, and a window has 16" in done.stderr
    assert "other.npz: neither poses nor theta is in it" in done.stderr
    assert "examples 8" in done.stdout
    first = weights.load("vibe_wo_3dpw", out)
    hmr = weights.load("spin", *folder)
    assert isinstance(first, Generator)
    moved = (first.regressor.pose.weight - hmr.regressor.pose.weight).abs().max()
    assert 0 < moved < 1e-3  # it began with SPIN's, and took two small steps
    done = job(*given, "--epochs=2")
    assert "epoch 1" in done.stdout
    assert "epoch 2" in done.stdout
    second = weights.load("vibe_wo_3dpw", out)
    assert not torch.equal(second.encoder.linear.weight, first.encoder.linear.weight)
