"""DensePose gives the authors' numbers, seam by seam."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms, roi_align

from muybridge.models.densepose import boxes as box
from muybridge.models.densepose import detector, postprocess, preprocess
from muybridge.models.densepose.backbone import STRIDES
from muybridge.models.densepose.config import Config
from muybridge.models.densepose.predict import Predictor, detect, see
from muybridge.models.densepose.surface import Charts

pytestmark = pytest.mark.golden

ELSEWHERE = ("unit.annotation.", "unit.loss.", "unit.filter.", "unit.gps.")
HERE = (
    "pre.", "backbone.", "fpn.", "rpn.", "box.", "det.", "result.", "dp.", "fixed.", "batch.",
    "dl.", "legacy.", "unit.resize", "unit.pool.", "unit.decode.", "unit.encode.", "unit.nms.",
    "unit.post.",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _without_gradients():
    with torch.inference_mode():
        yield


def rgb(picture):
    return np.ascontiguousarray(picture[:, :, ::-1])


def size_of(array):
    return list(array.shape)


@pytest.fixture(scope="module")
def network(filled):
    return filled("manifest.json", "densepose_rcnn_R_50_FPN_s1x")


@pytest.fixture(scope="module")
def seen(network, pack):
    """Everything between the picture and its people's charts."""
    batch = preprocess.batch([rgb(pack.inputs["image"])], network.config)
    maps = network.features(batch.pixels)
    (regions,) = network.regions(maps, batch.sizes)
    cut = network.look(maps, [regions])
    logits, moves = network.person_head(cut)
    people = detector.people(regions, logits, moves, batch.sizes[0], network.config)
    charts = network.read(maps, [people.boxes])
    boxes = postprocess.to_size(people.boxes, batch.sizes[0], batch.originals[0])
    return SimpleNamespace(**locals())


def test_every_key_of_the_pack_is_checked_here_or_elsewhere(pack):
    starts = HERE + ELSEWHERE
    assert [key for key in pack.outputs if sum(map(key.startswith, starts)) != 1] == []
    assert [start for start in starts if not pack.group(start)] == []


def test_a_picture_is_prepared_as_by_the_authors(pack, seen, network):
    resized = preprocess.resized(rgb(pack.inputs["image"]), network.config)
    pack.check(
        "pre.",
        {
            "pre.resized": rgb(resized),
            "pre.image_size": seen.batch.sizes[0],
            "pre.padded_shape": size_of(seen.batch.pixels),
            "pre.normalized_sub": seen.batch.pixels[0, :, ::4, ::4],
        },
    )


def test_the_backbone_gives_the_authors_maps(pack, seen, network):
    resnet = network.backbone.resnet
    stem = torch.nn.functional.max_pool2d(resnet.stem(seen.batch.pixels), 3, 2, 1)
    maps = {"stem": stem, **resnet(seen.batch.pixels)}
    strides = {"stem": (4, 4), "res2": (16, 4), "res3": (16, 2), "res4": (32, 1), "res5": (32, 1)}
    ours = {}
    for name, (channels, step) in strides.items():
        ours[f"backbone.{name}_sub"] = maps[name][0, ::channels, ::step, ::step]
        ours[f"backbone.{name}_channel_mean"] = maps[name][0].mean((1, 2))
    pack.check("backbone.", ours)


def test_the_pyramid_gives_the_authors_maps(pack, seen):
    strides = {"p2": (16, 2), "p3": (8, 1), "p4": (4, 1), "p5": (1, 1), "p6": (1, 1)}
    ours = {}
    for x, (name, (channels, step)) in zip(seen.maps, strides.items(), strict=True):
        ours[f"fpn.{name}_sub"] = x[0, ::channels, ::step, ::step]
        ours[f"fpn.{name}_channel_mean"] = x[0].mean((1, 2))
        ours[f"fpn.{name}_channel_std"] = x[0].std((1, 2))
        ours[f"fpn.{name}_shape"] = size_of(x)
    pack.check("fpn.", {key: ours[key] for key in pack.group("fpn.")})


def test_regions_are_proposed_as_by_the_authors(pack, seen, network):
    found = [network.region_head(x) for x in seen.maps]
    grids = [box.anchors(*x.shape[2:], s) for x, s in zip(seen.maps, STRIDES, strict=True)]
    pack.check(
        "rpn.",
        {
            "rpn.objectness": torch.cat([logits[0] for logits, _ in found]),
            "rpn.deltas_sub": torch.cat([moves[0] for _, moves in found])[::3],
            "rpn.level_counts": [len(grid) for grid in grids],
            "rpn.anchors_sub": torch.cat(grids)[::97],
            "rpn.cell_anchors": torch.stack([box.cell_anchors(8 * s) for s in STRIDES]),
            "rpn.proposal_boxes": seen.regions.boxes,
            "rpn.proposal_logits": seen.regions.logits,
        },
    )


def test_regions_are_looked_at_as_by_the_authors(pack, seen, network):
    head = network.person_head
    first = torch.relu(head.first(seen.cut.flatten(1)))
    second = torch.relu(head.second(first))
    pack.check(
        "box.",
        {
            "box.levels": box.levels(seen.regions.boxes),
            "box.pooled_sub": seen.cut[:8, ::16],
            "box.fc1_sub": first[:48, ::16],
            "box.fc2_sub": second[:48, ::16],
            "box.cls_logits": seen.logits,
            "box.probabilities": seen.logits.softmax(-1),
            "box.deltas": seen.moves,
            "box.decoded": box.decode(seen.moves, seen.regions.boxes, detector.PERSON_WEIGHTS),
        },
    )


def test_the_same_people_are_found(pack, seen):
    ours = {
        "det.boxes_resized": seen.people.boxes,
        "det.scores": seen.people.scores,
        "det.classes": torch.zeros(len(seen.people.boxes)),
        "det.proposal_index": seen.people.region,
        "det.boxes": seen.boxes,
    }
    for key, values in named(seen.charts).items():
        ours[f"det.{key}_grid8"] = values[:, :, 3::8, 5::8]
    pack.check("det.", ours)


def named(charts):
    """Charts under the pack's names."""
    return {
        "coarse_segm": charts.coarse, "fine_segm": charts.fine, "u": charts.u, "v": charts.v
    }  # fmt: skip


def results(charts, boxes, start):
    ours = {f"{start}box_xywh_int": postprocess.whole(boxes)}
    for number, (_, _, width, height) in enumerate(postprocess.whole(boxes)):
        parts, uv = postprocess.chart(charts, number, height, width)
        ours[f"{start}{number}.labels"] = parts
        ours[f"{start}{number}.uv"] = uv
        ours[f"{start}{number}.quantized"] = torch.cat([parts[None], postprocess.quantised(uv)])
    return ours


def test_people_show_the_same_surface(pack, seen):
    """Where two parts are equally likely up to rounding, which differs by machine, either may."""
    ours = results(seen.charts, seen.boxes, "result.")
    assert set(ours) == set(pack.group("result."))
    for key, values in ours.items():
        wanted = pack.outputs[key]
        if key.endswith("box_xywh_int"):
            assert pack.fault(key, values) == ""
            continue
        number, limit = int(key.split(".")[1]), pack.limit("det.fine_segm_grid8")
        clear = ~ties(seen.charts, number, wanted.shape[-2:], limit)
        assert clear.mean() > 0.998
        made = np.where(clear, np.asarray(values, wanted.dtype), wanted)
        assert pack.fault(key, made) == ""


def test_the_product_shows_the_same_people_and_surfaces(pack, network, seen):
    """Folded, fused, by tiles, with the decoder only where people are.

    Where two parts are equally likely up to rounding, either may come out.
    """
    (ours,) = see(Predictor(network), [rgb(pack.inputs["image"])], min_score=0)
    assert pack.fault("det.boxes", ours.boxes) == ""
    assert pack.fault("det.scores", ours.scores) == ""
    whole = pack.outputs["result.box_xywh_int"]
    assert len(ours.surfaces) == len(whole)
    for number, surface in enumerate(ours.surfaces):
        left, top, width, height = whole[number]
        assert surface.box.tolist() == [left, top, left + width, top + height]
        clear = ~ties(seen.charts, number, (height, width), pack.limit("det.fine_segm_grid8"))
        assert clear.mean() > 0.998
        theirs = pack.outputs[f"result.{number}.quantized"].transpose(1, 2, 0).astype(int)
        assert (surface.parts == theirs[..., 0])[clear].all()
        assert np.abs(surface.uv - theirs[..., 1:])[clear].max() <= 1


def ties(charts, number, size, limit):
    """Say for each pixel (h, w) whether its label hangs on less than what rounding may do."""
    close = np.zeros(size, bool)
    for maps in (charts.coarse, charts.fine):
        logits = torch.nn.functional.interpolate(maps[[number]], tuple(size), mode="bilinear")[0]
        first, second = logits.topk(2, dim=0).values
        close |= (first - second < limit).numpy()
    return close


def test_the_product_finds_the_same_people_in_two_pictures_at_once(pack, network):
    pictures = [rgb(pack.inputs["image"]), rgb(pack.inputs["image_b"])]
    faults = []
    for number, ours in enumerate(detect(Predictor(network), pictures)):
        faults.append(pack.fault(f"batch.{number}.boxes", ours.boxes))
        faults.append(pack.fault(f"batch.{number}.scores", ours.scores))
    assert [fault for fault in faults if fault] == []


def test_the_decoder_gives_the_authors_map(pack, seen, network):
    decoded = network.decoder(seen.maps)[0]
    pack.check(
        "dp.",
        {
            "dp.decoder_sub": decoded[::16, ::2, ::2],
            "dp.decoder_channel_mean": decoded.mean((1, 2)),
        },
    )


def test_given_boxes_are_read_as_by_the_authors(pack, seen, network):
    boxes = [torch.from_numpy(pack.inputs["fixed_boxes"])]
    cut = network.cut(seen.maps, boxes)
    head = network.head(cut)
    charts = named(network.predictor(head))
    ours = {
        "fixed.pooled_sub": cut[:, ::16],
        "fixed.head_sub": head[:, ::32],
        "fixed.lowres_fine_sub": network.predictor.fine(head)[:, ::6],
        "fixed.output_shape": [size_of(values) for values in charts.values()],
        "fixed.coarse_segm": charts["coarse_segm"][:2],
    }
    for key, values in charts.items():
        ours[f"fixed.{key}_grid4"] = values[:, :, 1::4, 2::4]
        if key != "coarse_segm":
            ours[f"fixed.{key}_box1_channels_0_5_24"] = values[1, [0, 5, 24]]
    pack.check("fixed.", ours)


def test_two_pictures_at_once_give_the_authors_people(pack, network):
    pictures = [rgb(pack.inputs["image"]), rgb(pack.inputs["image_b"])]
    batch = preprocess.batch(pictures, network.config)
    maps = network.features(batch.pixels)
    ours = {
        "batch.padded_shape": size_of(batch.pixels),
        "batch.image_sizes": batch.sizes,
        "batch.p4_channel_mean": maps[2].mean((2, 3)),
    }
    people = network.detect(maps, batch.sizes)
    for number, each in enumerate(people):
        sizes = batch.sizes[number], batch.originals[number]
        ours[f"batch.{number}.boxes"] = postprocess.to_size(each.boxes, *sizes)
        ours[f"batch.{number}.scores"] = each.scores
    pack.check("batch.", ours)


def test_the_deeplab_head_gives_the_authors_charts(pack, seen, filled):
    network = filled("manifest_dl.json", "densepose_rcnn_R_50_FPN_DL_s1x")
    cut = network.cut(seen.maps, [torch.from_numpy(pack.inputs["fixed_boxes"])])
    ours = {"dl.fixed.aspp_sub": network.head.pyramid(cut)[:, ::16]}
    pack.check("dl.", ours | head_outputs(network, cut, "dl.fixed.", 8))


def test_the_legacy_head_gives_the_authors_charts(pack, seen, filled):
    network = filled("manifest_legacy.json", "densepose_rcnn_R_50_FPN_s1x_legacy")
    cut = network.cut(seen.maps, [torch.from_numpy(pack.inputs["fixed_boxes"])])
    ours = {"legacy.fixed.pooled_sub": cut[:, ::16]}
    pack.check("legacy.", ours | head_outputs(network, cut, "legacy.fixed.", 4))


def head_outputs(network, cut, start, step):
    head = network.head(cut)
    charts = named(network.predictor(head))
    grids = {f"{start}{k}_grid{step}": v[:, :, 1::step, 2::step] for k, v in charts.items()}
    return grids | {
        f"{start}head_sub": head[:, ::32],
        f"{start}lowres_fine_sub": network.predictor.fine(head)[:, ::6],
        f"{start}output_shape": [size_of(values) for values in charts.values()],
    }


def test_pictures_are_scaled_to_the_authors_sizes(pack):
    table = pack.outputs["unit.resize_table"]
    ours = [[h, w, *preprocess.target_size(h, w, Config())] for h, w in table[:, :2].tolist()]
    down = pack.outputs["unit.resize_down"]
    config = Config(min_size=min(down.shape[:2]))
    small = rgb(preprocess.resized(rgb(pack.inputs["image"]), config))
    pack.check("unit.resize", {"unit.resize_table": ours, "unit.resize_down": small})


@pytest.fixture(scope="module")
def noise(pack, synthetic_fill):
    """The pack's arrays that are not stored, by its rule."""
    seed = json.loads((pack.folder / "manifest.json").read_text())["seed"]

    def make(name, shape, scale, offset):
        gain = np.sqrt(np.prod(shape[1:]))
        made = synthetic_fill(name, shape, seed=seed, gain=gain)
        return torch.from_numpy(np.float32(offset) + np.float32(scale) * made)

    return make


def test_boxes_are_cut_out_as_by_the_authors(pack, noise):
    maps = [noise(f"golden.pool.p{n}", (2, 4, 512 >> n, 640 >> n), 1, 0) for n in (2, 3, 4, 5)]
    boxes = [torch.from_numpy(pack.inputs[f"unit.pool.boxes_image{n}"]) for n in (0, 1)]
    levels = box.levels(torch.cat(boxes))
    aligned = [
        roi_align(maps[level], rows, 7, 1 / STRIDES[level], aligned=True)
        for level, rows in zip(levels, roi_rows(boxes), strict=True)
    ]
    pack.check(
        "unit.pool.",
        {
            "unit.pool.aligned_7x7": torch.cat(aligned)[:, :2],
            "unit.pool.levels": levels,
            "unit.pool.box_7x7": box.pool_levels(maps, boxes, STRIDES[:4], 7),
            "unit.pool.legacy_14x14": box.pool_levels(maps, boxes, STRIDES[:4], 14)[:, :2],
            "unit.pool.p2_28x28": box.pool(maps[0], boxes, STRIDES[0], 28)[:, :1],
        },
    )


def roi_rows(boxes):
    """One (1, 5) a box: its picture's number, then the box."""
    return [
        torch.cat([torch.tensor([number]), each])[None]
        for number, mine in enumerate(boxes)
        for each in mine
    ]


def test_boxes_are_moved_as_by_the_authors(pack):
    boxes = torch.from_numpy(pack.inputs["unit.decode.boxes"])
    moves = torch.from_numpy(pack.inputs["unit.decode.deltas"])
    pack.check(
        "unit.decode.",
        {
            "unit.decode.rpn": box.decode(moves, boxes, detector.REGION_WEIGHTS),
            "unit.decode.box": box.decode(moves, boxes, detector.PERSON_WEIGHTS),
        },
    )
    moved = box.encode(boxes, boxes.flip(0), detector.PERSON_WEIGHTS)
    pack.check("unit.encode.", {"unit.encode.box": moved})


def test_boxes_that_overlap_are_dropped_as_by_the_authors(pack):
    boxes, scores, groups = (
        torch.from_numpy(pack.inputs[f"unit.nms.{key}"]) for key in ("boxes", "scores", "groups")
    )
    ours = {
        f"unit.nms.keep_{percent}": batched_nms(boxes, scores, groups, percent / 100)
        for percent in (50, 70)
    }
    pack.check("unit.nms.", ours)


def test_charts_become_the_authors_surfaces(pack, noise):
    boxes = torch.from_numpy(pack.inputs["unit.post.boxes"])
    side = 112

    def chart(key, channels, scale, offset):
        return noise(f"golden.post.{key}", (len(boxes), channels, side, side), scale, offset)

    nothing = torch.empty(0)
    charts = Charts(
        chart("coarse_segm", 2, 1, 0),
        chart("fine_segm", 25, 2, 0),
        chart("u", 25, 0.3, 0.5),
        chart("v", 25, 0.3, 0.5),
        nothing,
        nothing,
        nothing,
    )
    pack.check("unit.post.", results(charts, boxes, "unit.post."))
