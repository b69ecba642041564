"""The DensePose network: one look at pictures, people found in them, the surface of each."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from muybridge.models.densepose import boxes as box
from muybridge.models.densepose.backbone import STRIDES, Backbone
from muybridge.models.densepose.config import Config
from muybridge.models.densepose.detector import (
    CELLS,
    People,
    PersonHead,
    RegionHead,
    Regions,
    Size,
    people,
    propose,
)
from muybridge.models.densepose.surface import Charts, Decoder, Head, Predictor


class DensePose(nn.Module):
    """Find people in pictures and read their surface, in three steps that share one backbone.

    ``features`` turns normalised, padded pictures (N, 3, H, W) into five maps, ``detect`` maps into
    people, and ``read`` maps and boxes into charts. All boxes are in the network's pixels.
    """

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config.depth)
        self.region_head = RegionHead()
        self.person_head = PersonHead()
        if config.decoder:
            self.decoder = Decoder()
        self.head = Head(config)
        self.predictor = Predictor(config)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Turn pictures (N, 3, H, W), H and W multiples of 32, into maps p2 to p6."""
        return self.backbone(pictures)

    def detect(self, maps: Sequence[Tensor], sizes: Sequence[Size]) -> list[People]:
        """Find the people of each picture; ``sizes`` says how much of it is not padding."""
        return self.people(maps, self.regions(maps, sizes), sizes)

    def people(
        self, maps: Sequence[Tensor], regions: Sequence[Regions], sizes: Sequence[Size]
    ) -> list[People]:
        """Choose the people of each picture among its regions."""
        logits, moves = self.person_head(self.look(maps, regions))
        counts = [len(each.boxes) for each in regions]
        parts = zip(regions, logits.split(counts), moves.split(counts), sizes, strict=True)
        return [people(*part, self.config) for part in parts]

    def regions(self, maps: Sequence[Tensor], sizes: Sequence[Size]) -> list[Regions]:
        """Find each picture's regions worth a look."""
        return propose(maps, [self.region_head(x) for x in maps], sizes, self.config)

    def look(self, maps: Sequence[Tensor], regions: Sequence[Regions]) -> Tensor:
        """Cut all pictures' regions out of the maps: (all R, 256, 7, 7)."""
        return box.pool_levels(maps[:4], [each.boxes for each in regions], STRIDES[:4], CELLS)

    def cut(self, maps: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
        """Cut people out, boxes (R, 4) a picture: (all R, 256, pooled, pooled)."""
        if self.config.decoder:
            return box.pool(self.decoder(maps), boxes, STRIDES[0], self.config.pooled)
        return box.pool_levels(maps[:4], boxes, STRIDES[:4], self.config.pooled)

    def read(self, maps: Sequence[Tensor], boxes: Sequence[Tensor]) -> Charts:
        """Read the surface of people, boxes (R, 4) a picture, all pictures' people in order."""
        return self.chart(self.cut(maps, boxes))

    def chart(self, cut: Tensor) -> Charts:
        """Turn people that were cut out (R, 256, pooled, pooled) into charts."""
        return self.predictor(self.head(cut))
