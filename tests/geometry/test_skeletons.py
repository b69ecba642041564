"""Skeletons: joints by name, limbs, and maps between them."""

import numpy as np

from muybridge.geometry.skeletons import BLAZEPOSE33, COCO17, SKELETONS, mapping


def test_skeletons_have_the_number_of_joints_in_their_name():
    assert {name: len(s.joints) for name, s in SKELETONS.items()} == {
        "blazepose33": 33,
        "coco17": 17,
        "coco18": 18,
        "body25": 25,
        "body18": 18,
        "h36m17": 17,
        "pa16": 16,
        "pa17": 17,
    }


def test_no_joint_and_no_limb_stands_twice():
    for skeleton in SKELETONS.values():
        assert len(set(skeleton.joints)) == len(skeleton.joints)
        assert len({frozenset(limb) for limb in skeleton.limbs}) == len(skeleton.limbs)


def test_limbs_are_as_many_on_the_left_as_on_the_right():
    def mirrored(name: str) -> str:
        sides = {"left": "right", "right": "left"}
        return "_".join(sides.get(word, word) for word in name.split("_"))

    for skeleton in SKELETONS.values():
        named = {frozenset(skeleton.joints[j] for j in limb) for limb in skeleton.limbs}
        assert {frozenset(mirrored(j) for j in limb) for limb in named} == named


def test_every_coco_joint_is_one_of_blazeposes():
    found = mapping(BLAZEPOSE33, COCO17)
    assert [BLAZEPOSE33.joints[j] for j in found] == list(COCO17.joints)
    assert found[[0, 5, 11, 16]].tolist() == [0, 11, 23, 28]  # as both orders are published


def test_a_joint_the_source_lacks_maps_to_minus_one():
    missing = np.array(BLAZEPOSE33.joints)[mapping(COCO17, BLAZEPOSE33) < 0]
    assert len(missing) == 16
    assert "mouth_left" in missing
    assert "left_hip" not in missing


def test_joints_are_found_by_name():
    assert BLAZEPOSE33.index("left_hip", "right_hip") == [23, 24]
