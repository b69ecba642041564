"""Reading tracks and motion capture: each window as it is in its file, and bad files by name."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
import torch

from muybridge.errors import InputError
from muybridge.models.vibe.examples import Motions, example, mocap, motion, motions, tracks

DRAW = np.random.default_rng(0)
WIDTH = 6  # of features here
WIDTHS = [(72, (22, 23)), (156, (22, 37)), (165, (25, 40))]  # SMPL, SMPL-H, SMPL-X; their hands


def track(frames=40, **changes):
    """The arrays of a track of which everything is known."""
    made = {
        "features": DRAW.normal(size=(frames, WIDTH)).astype(np.float32),
        "kp_2d": DRAW.uniform(0.1, 1, (frames, 49, 3)).astype(np.float32),
        "kp_3d": DRAW.normal(size=(frames, 49, 3)).astype(np.float32),
        "theta": DRAW.normal(size=(frames, 85)).astype(np.float32),
        "w_3d": np.ones(frames, np.float32),
        "w_smpl": np.ones(frames, np.float32),
    } | changes
    return {name: array for name, array in made.items() if array is not None}


def written(path, **arrays):
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **arrays)
    return path


def test_windows_are_cut_from_every_file_of_a_folder(tmp_path):
    written(tmp_path / "a.npz", **track(40))
    written(tmp_path / "deeper" / "b.npz", **track(16))
    (tmp_path / "notes.txt").write_text("no track")
    found = tracks(tmp_path, features=WIDTH)
    assert [(row["path"].name, row["start"]) for row in found.rows] == [
        ("a.npz", 0),
        ("a.npz", 16),
        ("b.npz", 0),
    ]
    assert found.skipped == []
    closer = tracks(tmp_path / "a.npz", stride=8, features=WIDTH)
    assert [row["start"] for row in closer.rows] == [0, 8, 16, 24]


def test_an_example_is_the_files_numbers_between_its_frames(tmp_path):
    given = track(40)
    rows = tracks(written(tmp_path / "a.npz", **given), features=WIDTH).rows
    made = example(rows[1])
    names = {
        "features": "features",
        "joints_2d": "kp_2d",
        "joints_3d": "kp_3d",
        "theta": "theta",
        "has_joints": "w_3d",
        "has_body": "w_smpl",
    }
    assert set(made) == set(names)
    for ours, theirs in names.items():
        np.testing.assert_array_equal(made[ours], given[theirs][16:32])
        assert made[ours].dtype == np.float32


def test_what_is_missing_is_unknown_and_what_has_no_flag_is_known(tmp_path):
    bare = track(16, kp_3d=None, theta=None, w_3d=None, w_smpl=None)
    (row,) = tracks(written(tmp_path / "a.npz", **bare), features=WIDTH).rows
    made = example(row)
    assert made["joints_3d"].shape == (16, 49, 3)
    assert made["theta"].shape == (16, 85)
    assert not made["has_joints"].any()
    assert not made["has_body"].any()
    (row,) = tracks(
        written(tmp_path / "b.npz", **track(16, w_3d=None, w_smpl=None)), features=WIDTH
    ).rows
    assert example(row)["has_joints"].all()
    assert example(row)["has_body"].all()


def test_numbers_that_are_not_finite_cost_their_window_only_where_they_count(tmp_path):
    kp_2d, theta, w_smpl = track(16)["kp_2d"], track(16)["theta"], np.ones(16, np.float32)
    kp_2d[3, 5] = (np.nan, np.nan, 0)  # unknown joint
    theta[:, :3] = np.nan  # the camera, which nobody looks at
    theta[4], w_smpl[4] = np.nan, 0
    given = track(16, kp_2d=kp_2d, theta=theta, w_smpl=w_smpl)
    (row,) = tracks(written(tmp_path / "a.npz", **given), features=WIDTH).rows
    made = example(row)
    assert made["joints_2d"][3, 5].tolist() == [0, 0, 0]
    given["w_smpl"][4] = 1
    written(tmp_path / "a.npz", **given)
    assert example(row) is None
    for name in ("features", "kp_3d", "w_3d"):
        broken = track(16)
        broken[name][2] = np.nan
        written(tmp_path / "a.npz", **broken)
        assert example(row) is None, name


def test_a_file_that_is_gone_or_cut_off_since_is_none(tmp_path):
    path = written(tmp_path / "a.npz", **track(16))
    (row,) = tracks(path, features=WIDTH).rows
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert example(row) is None
    path.unlink()
    assert example(row) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": None}, r"features is missing, not \('T', 6\)"),
        ({"kp_2d": None}, r"kp_2d is missing, not \(16, 49, 3\)"),
        ({"features": np.zeros((16, 5))}, r"features is \(16, 5\), not \(16, 6\)"),
        ({"kp_2d": np.zeros((15, 49, 3))}, r"kp_2d is \(15, 49, 3\), not \(16, 49, 3\)"),
        ({"theta": np.zeros((16, 72)), "kp_3d": np.zeros((16, 14, 3))}, "kp_3d .*; theta "),
        ({"theta": None}, "w_smpl is there and theta is not"),
        ({"features": np.array(["a"] * 16)}, "features is missing"),
    ],
)
def test_a_file_that_is_no_track_is_left_out_with_all_that_is_wrong(tmp_path, changes, said):
    bad = written(tmp_path / "bad.npz", **track(16, **changes))
    with pytest.raises(InputError, match=said):
        tracks(bad, features=WIDTH)
    written(tmp_path / "good.npz", **track(16))
    found = tracks(tmp_path, features=WIDTH)
    assert [row["path"].name for row in found.rows] == ["good.npz"]
    assert len(found.skipped) == 1
    assert found.skipped[0].startswith(f"{bad}: ")


def test_a_place_without_anything_to_learn_from_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"there is no .*gone; give an NPZ file, or a folder"):
        tracks(tmp_path / "gone")
    with pytest.raises(InputError, match=r"no track of features is here.*\n.*no NPZ file"):
        tracks(tmp_path)
    (tmp_path / "a.npz").write_bytes(b"no archive")
    with pytest.raises(
        InputError, match=r"no motion capture is here.*\n.*a.npz: File is not a zip"
    ):
        mocap(tmp_path)
    with pytest.raises(InputError, match="it has 15 frames, and a window has 16"):
        tracks(written(tmp_path / "a.npz", **track(15)), features=WIDTH)
    for number in range(12):
        written(tmp_path / f"{number}.npz", other=np.zeros(3))
    with pytest.raises(InputError, match="… and 3 more"):
        mocap(tmp_path)


@pytest.mark.parametrize(("width", "hands"), WIDTHS)
def test_bodies_of_the_family_give_the_same_joints_and_each_its_hands(tmp_path, width, hands):
    poses = np.arange(20 * width, dtype=np.float64).reshape(20, -1, 3)
    path = written(tmp_path / "a.npz", poses=poses.reshape(20, -1), gender=np.array("neutral"))
    (row,) = mocap(path).rows
    made = motion(row["path"], 25)
    np.testing.assert_array_equal(made, poses[:, [*range(1, 22), *hands]].reshape(20, 69))


def test_theta_is_read_without_camera_root_and_shape(tmp_path):
    theta = DRAW.normal(size=(16, 85)).astype(np.float32)
    np.testing.assert_array_equal(
        motion(written(tmp_path / "a.npz", theta=theta), 25), theta[:, 6:75]
    )


@pytest.mark.parametrize(
    ("rate", "kept"), [(None, 1), (25, 1), (30, 1), (10, 1), (60, 2), (100, 4), (120, 5)]
)
def test_motion_is_thinned_evenly(tmp_path, rate, kept):
    poses = np.arange(40)[:, None].repeat(72, 1)
    given = {} if rate is None else {"mocap_framerate": np.array(rate)}
    made = motion(written(tmp_path / "a.npz", poses=poses, **given), 25)
    assert made[:, 0].tolist() == list(range(0, 40, kept))


def test_drawn_windows_lie_in_one_file_each_and_start_anywhere(tmp_path):
    for number, frames in enumerate((16, 18, 40)):
        poses = (1000 * number + np.arange(frames))[:, None].repeat(72, 1) * 1e-4
        rate = np.array(100 if number == 2 else 25)
        written(tmp_path / f"{number}.npz", poses=poses, mocap_frame_rate=rate)
    made = motions(mocap(tmp_path).rows)
    torch.manual_seed(0)
    windows = (made.draw(200)[..., 0] * 1e4).round().long()
    assert windows.shape == (200, 16)
    assert sorted(set(windows[:, 0].tolist())) == [0, 1000, 1001, 1002]  # at 25 a second 2 is short
    assert (windows.diff(dim=1) == 1).all()
    assert made.draw(0).shape == (0, 16, 69)


def test_drawn_angles_are_half_a_turn_at_most_and_turn_alike():
    frames = torch.zeros(16, 69)
    frames[:, 0] = 1.5 * torch.pi
    drawn = Motions(frames, torch.zeros(1, dtype=torch.long)).draw(1)
    torch.testing.assert_close(drawn[0, :, 0], torch.full((16,), -torch.pi / 2))
    torch.testing.assert_close(drawn[..., 1:], torch.zeros(1, 16, 68), atol=1e-6, rtol=0)


def test_motion_that_cannot_be_used_is_told(tmp_path):
    with pytest.raises(InputError, match="neither poses nor theta is in it"):
        mocap(written(tmp_path / "a.npz", trans=np.zeros((20, 3))))
    with pytest.raises(InputError, match=r"poses is \(20, 66\), not \(T, 72 or 156 or 165\)"):
        mocap(written(tmp_path / "a.npz", poses=np.zeros((20, 66))))
    with pytest.raises(InputError, match="no motion has 16 frames when there are 25 a second"):
        motions(
            mocap(written(tmp_path / "a.npz", poses=np.zeros((20, 72)), mocap_framerate=60)).rows
        )
    written(tmp_path / "a.npz", poses=np.full((20, 72), np.inf))
    written(tmp_path / "b.npz", poses=np.zeros((20, 72)))
    written(tmp_path / "c.npz", poses=np.zeros((20, 72)))
    rows = mocap(tmp_path).rows
    (tmp_path / "c.npz").unlink()
    with pytest.raises(
        InputError, match=r"take it out\n.*a.npz: not all.*finite\n.*c.npz: .*No such"
    ):
        motions(rows)


def test_what_is_in_a_file_besides_arrays_is_told(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("readme.txt", "nothing of numpy's")
    (tmp_path / "a.npz").write_bytes(content.getvalue())
    with pytest.raises(InputError, match=r"a.npz: the magic string is not correct"):
        tracks(tmp_path)
