"""Identity measures, by hand on a few boxes, and as the package trackeval gives them on MOT15."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.evaluate.motchallenge import Labels, Tracks, read, sequences
from muybridge.evaluate.tracking import Counts, count, measures

# trackeval 1.3.0 with numpy 2.4.6, in an environment of its own: its metrics HOTA (averaged over
# its thresholds), CLEAR and Identity (at 0.5) were given the ids and overlaps of each frame of
# data/mot15_tud, truth whose seventh value is not 0 and results; "all" is its combine_sequences.
# fmt: off
TRACKEVAL = {
    "TUD-Campus": {
        "IDF1": 0.557659, "IDP": 0.729730, "IDR": 0.451253, "MOTA": 0.526462, "MOTP": 0.722799,
        "HOTA": 0.391397, "DetA": 0.418047, "AssA": 0.369121,
        "switches": 7, "fragments": 7, "false_positives": 13, "misses": 150,
    },
    "TUD-Stadtmitte": {
        "IDF1": 0.644619, "IDP": 0.819760, "IDR": 0.531142, "MOTA": 0.564014, "MOTP": 0.654096,
        "HOTA": 0.397849, "DetA": 0.392268, "AssA": 0.408841,
        "switches": 7, "fragments": 6, "false_positives": 45, "misses": 452,
    },
    "all": {
        "IDF1": 0.624296, "IDP": 0.799176, "IDR": 0.512211, "MOTA": 0.555116, "MOTP": 0.669823,
        "HOTA": 0.399957, "DetA": 0.397683, "AssA": 0.412450,
        "switches": 14, "fragments": 13, "false_positives": 58, "misses": 602,
    },
}
# fmt: on


def boxes(*rows: tuple[int, int, float]) -> Tracks:
    """People 10 pixels wide and 20 tall: frame, id, left."""
    frames, ids, left = np.array(rows, float).reshape(-1, 3).T
    corners = np.stack([left, 0 * left, left + 10, 0 * left + 20], axis=1)
    return Tracks(frames.astype(int), ids.astype(int), corners)


def labels(tracks: Tracks, distractors: tuple[int, ...] = ()) -> Labels:
    distractor = np.isin(tracks.ids, distractors)
    return Labels(tracks, ~distractor, distractor)


def test_measures_are_those_of_trackeval(data):
    found = {name: data / "mot15_tud" / "results" / f"{name}.txt" for name in TRACKEVAL}
    counts = {
        name: count(each, read(found[name]).tracks)
        for name, each in sequences(data / "mot15_tud").items()
    }
    assert len(counts) == 2
    for name, each in {**counts, "all": sum(counts.values(), Counts())}.items():
        got = measures(each)
        assert {key: got[key] for key in TRACKEVAL[name]} == pytest.approx(
            TRACKEVAL[name], abs=1e-6
        )


def test_who_is_found_as_labelled_has_all_measures_1_whatever_the_numbers():
    two = boxes((0, 1, 0), (0, 2, 50), (1, 1, 5), (1, 2, 45))
    renamed = Tracks(two.frames, two.ids + 40, two.boxes)
    got = measures(count(labels(two), renamed))
    for name in ("IDF1", "IDP", "IDR", "MOTA", "MOTP", "HOTA", "DetA", "AssA"):
        assert got[name] == pytest.approx(1), name
    assert [got[n] for n in ("switches", "fragments", "false_positives", "misses")] == [0, 0, 0, 0]


def test_a_number_that_changes_half_way_is_one_switch_and_half_the_identity():
    one = boxes(*((frame, 1, 0) for frame in range(4)))
    found = boxes((0, 5, 0), (1, 5, 0), (2, 6, 0), (3, 6, 0))
    got = measures(count(labels(one), found))
    assert got["switches"] == 1
    assert got["IDF1"] == 0.5  # 2 of 4 boxes are of number 5
    assert got["MOTA"] == 0.75  # 4 found less a switch
    assert got["DetA"] == 1
    assert got["AssA"] == pytest.approx(0.5)  # each box shares 2 of the 4 of both tracks
    assert got["HOTA"] == pytest.approx(0.5**0.5)


def test_somebody_lost_for_a_while_is_a_fragment_and_no_switch():
    one, again = boxes(*((f, 1, 0) for f in range(4))), boxes((0, 5, 0), (3, 5, 0))
    got = measures(count(labels(one), again))
    assert (got["fragments"], got["switches"], got["misses"]) == (1, 0, 2)
    assert got["IDF1"] == pytest.approx(2 * 2 / (4 + 2))


def test_the_pair_of_the_frame_before_is_kept_while_it_overlaps_by_half():
    one = boxes((0, 1, 0), (1, 1, 0))
    found = boxes((0, 5, 0), (1, 5, 3), (1, 6, 0))  # 6 fits better, 5 overlaps by 7 / 13
    assert measures(count(labels(one), found))["switches"] == 0
    gone = boxes((0, 5, 0), (1, 5, 4), (1, 6, 0))  # 6 / 14 is less than half
    assert measures(count(labels(one), gone))["switches"] == 1


def test_nobody_labelled_or_nobody_found_gives_numbers():
    one, nobody = boxes((0, 1, 0)), boxes()
    assert measures(count(labels(one), nobody))["misses"] == 1
    assert measures(count(labels(one), nobody))["HOTA"] == 0
    assert measures(count(labels(nobody), nobody))["IDF1"] == 0


def test_frames_after_the_last_label_are_not_judged():
    got = measures(count(labels(boxes((0, 1, 0))), boxes((0, 1, 0), (1, 1, 0))))
    assert (got["found"], got["false_positives"]) == (1, 0)


def test_finding_a_distractor_is_no_mistake_and_finding_nobody_is():
    both = boxes((0, 1, 0), (0, 2, 50))
    got = measures(count(labels(both, distractors=(2,)), boxes((0, 1, 0), (0, 2, 50), (0, 3, 90))))
    assert (got["labelled"], got["found"], got["false_positives"]) == (1, 2, 1)
