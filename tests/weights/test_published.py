"""The table of published files."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from muybridge import weights
from muybridge.errors import InputError
from muybridge.models.kinetics.model import KINDS
from muybridge.published import FILES, folder, known, size


def test_every_file_has_a_network_and_a_table_for_it():
    for name in FILES:
        assert callable(weights.layout(name).network)


def test_files_have_different_names():
    assert len({file.file for file in FILES.values()}) == len(FILES)


@pytest.mark.parametrize("file", FILES.values(), ids=list(FILES))
def test_what_comes_over_an_open_line_is_known_by_its_whole_sum(file):
    assert re.fullmatch(r"|[0-9a-f]{8}|[0-9a-f]{64}", file.sha256)
    assert len(file.sha256) == 64 or all(url.startswith("https://") for url in file.urls)


@pytest.mark.parametrize("file", FILES.values(), ids=list(FILES))
def test_every_address_ends_with_the_files_name_and_every_file_has_a_licence(file):
    assert all(urlsplit(url).path.endswith("/" + file.file) for url in file.urls)
    assert file.licence


def test_torchvisions_files_are_those_that_torchvision_names():
    from torchvision.models import detection

    names = {
        "fasterrcnn_resnet50_fpn": detection.FasterRCNN_ResNet50_FPN_Weights,
        "maskrcnn_resnet50_fpn": detection.MaskRCNN_ResNet50_FPN_Weights,
        "keypointrcnn_resnet50_fpn": detection.KeypointRCNN_ResNet50_FPN_Weights,
    }
    for name, enum in names.items():
        assert FILES[name].urls == (enum.COCO_V1.url,)
    for name, kind in KINDS.items():
        assert FILES[name].urls == (kind.weights.url,)
        assert FILES[name].bytes == round(kind.weights.meta["_file_size"] * 2**20)


def test_a_wrong_name_lists_the_names():
    with pytest.raises(InputError, match="no weights called 'densepose'; there are\n") as caught:
        known("densepose")
    assert all(f"\n  {name}" in str(caught.value) for name in FILES)


def test_the_cache_is_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path))
    assert folder() == tmp_path / "weights"
    monkeypatch.setenv("MUYBRIDGE_CACHE", "")
    assert folder().parts[-3:] == (".cache", "muybridge", "weights")


def test_sizes_are_told_in_megabytes():
    assert [size(0), size(104_715_850)] == ["", "105 MB"]
