"""The multi-task network by itself: sizes as published, and rules seen on numbers made by hand."""

from __future__ import annotations

import pytest
import torch

from muybridge.models.multitask.model import (
    EPS,
    NTU,
    PENN,
    Config,
    Maps,
    Norm,
    Spnet,
    placed,
    shrunk,
)

SMALL = Config(
    4, 2, (3,), 2, (1, 2), levels=2, entry=8, growth=8, kernel=3, pose_features=16,
    visual_features=16,
)  # fmt: skip


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return Spnet(SMALL).eval()


def fixed(config, side):
    """Count the soft-argmax's kernels in Keras: for x and y a map's cells and a mixing, a joint."""
    places = config.places + config.acts
    cells = sum((side // 8 // 2**level) ** 2 for _, level in places)
    return 2 * config.joints * (cells + len(places) * config.joints)


@pytest.mark.parametrize(("config", "count"), [(NTU, 12_834_928), (PENN, 20_541_416)])
def test_networks_have_as_many_numbers_as_published(config, count):
    with torch.device("meta"):
        network = Spnet(config)
    own = sum(tensor.numel() for tensor in network.state_dict().values())
    assert own + fixed(config, 256) == count


def test_pyramids_go_down_and_up_in_turn():
    config = Config(pyramids=3, acting=(2,))
    down, up = [(1, 1), (1, 2), (1, 3)], [(2, 2), (2, 1), (2, 0)]
    assert config.places == [*down, *up, (3, 1), (3, 2), (3, 3)]
    assert config.acts == up


def test_the_first_and_the_last_cell_lie_at_0_and_1():
    heat = torch.full((1, 2, 3, 5), -200.0)
    heat[0, 0, 0, 4] = heat[0, 1, 2, 0] = 0
    found, where = placed(Maps(heat, None), 1.0)
    assert found[0, :, :2].tolist() == [[1, 0], [0, 1]]
    assert where.sum((2, 3)).tolist() == [[1, 1]]
    assert found[0, :, 2].tolist() == [1, 1]  # sharp, so it is seen


def test_a_joint_that_may_be_anywhere_is_in_the_middle_and_hardly_visible():
    found, _ = placed(Maps(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)), 1.0)
    assert torch.allclose(found[0, 0], torch.tensor([0.5, 0.5, 0.5, 0.25]))


@pytest.mark.parametrize(
    ("frames", "joints", "size"),
    [(8, 17, (8, 10)), (8, 16, (8, 8)), (16, 16, (8, 8)), (3, 2, (4, 2))],
)
def test_joints_are_halved_and_time_where_clips_are_long(frames, joints, size):
    x = shrunk(torch.ones(1, 1, frames, joints))
    assert x.shape[2:] == size
    assert x.isfinite().all()


def test_fewer_frames_are_filled_up_with_zeros_the_smaller_half_first():
    x = shrunk(torch.full((1, 1, 3, 3), -1.0))
    assert x[0, 0].tolist() == [[-1, 0], [-1, 0], [0, 0], [0, 0]]


@pytest.mark.parametrize("clips", [0, 1, 2])
def test_clips_of_any_number_are_judged_each_by_itself(small, clips):
    given = torch.rand(clips, 4, 3, 32, 32)
    with torch.inference_mode():
        poses, scores = small(given)
        apart = [small(clip[None]) for clip in given]
    assert poses[-1].shape == (clips, 4, 4, 3)
    assert scores[-1][0].shape == (clips, 3)
    for number, (own, judged) in enumerate(apart):
        assert torch.allclose(own[-1][0], poses[-1][number], atol=1e-5)
        assert torch.allclose(judged[-1][0][0], scores[-1][0][number], atol=1e-5)


def test_a_clip_that_ends_the_other_way_round_is_judged_otherwise(small):
    torch.manual_seed(0)
    clip = torch.rand(1, 4, 3, 32, 32)
    with torch.inference_mode():
        poses, scores = small(clip)
        turned, others = small(clip.flip(1))
    assert torch.allclose(turned[-1].flip(1), poses[-1], atol=1e-5)
    assert not torch.allclose(others[-1][0], scores[-1][0], atol=1e-5)


def test_norms_are_torchs_without_a_count():
    own, torchs = Norm(3), torch.nn.BatchNorm2d(3, EPS)
    for _ in range(2):
        x = torch.randn(4, 3, 2, 2)
        assert torch.equal(own(x), torchs(x))
    assert torch.equal(own.running_var, torchs.running_var)
    assert set(torchs.state_dict()) - set(own.state_dict()) == {"num_batches_tracked"}
    assert torch.equal(own.eval()(x), torchs.eval()(x))
