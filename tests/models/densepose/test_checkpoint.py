"""Every published network has a table that gives each of its tensors one name of theirs."""

from __future__ import annotations

import re

import pytest
import torch

from muybridge import checkpoints
from muybridge.models.densepose.checkpoint import LAYOUTS
from muybridge.models.densepose.config import VARIANTS


def test_there_are_eleven_networks_of_either_depth():
    assert len(VARIANTS) == 22
    assert list(LAYOUTS) == list(VARIANTS)


def theirs(table, name):
    """Every name of theirs that the table turns into this name of ours."""
    module, leaf = name.rsplit(".", 1)
    found = []
    for row, ours in table:
        pattern = re.escape(ours).replace(r"\{\}", "([^.]+)")
        if match := re.fullmatch(pattern, module):
            found.append(f"{row.format(*match.groups())}.{leaf}")
    return found


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_file_in_their_names_fills_the_network(name):
    layout = LAYOUTS[name]
    with torch.device("meta"):
        own = layout.network().state_dict()
    names = {mine: theirs(layout.table, mine) for mine in own}
    assert [mine for mine, found in names.items() if len(found) != 1] == []
    renamed = checkpoints.renamed({found[0]: own[mine] for mine, found in names.items()}, layout)
    assert set(renamed) == set(own)
    assert all(renamed[mine] is own[mine] for mine in own)


def test_constants_that_old_files_carry_are_left_out():
    layout = LAYOUTS["densepose_rcnn_R_50_FPN_s1x"]
    for name in ("pixel_mean", "proposal_generator.anchor_generator.cell_anchors.4"):
        assert any(re.fullmatch(row.replace("{}", r"\d"), name) for row in layout.ignored)
