"""Find points of the world from where several cameras show them.

Everything works on pixels without the lens (``cameras.undistorted``) and N points at once. Letters:
N points, V views. ``seen`` (N, V, 2) are pixels, nan where a view shows nothing; ``projections``
(V, 3, 4), or (N, V, 3, 4) where each point has its own; ``weights`` (N, V) say how much a view is
trusted, from 0 (not at all) to 1. A point that fewer than two views show is nan.

Linear triangulation (Hartley and Zisserman, Multiple View Geometry, 12.2) is exact and swift, but
minimises no distance in the picture. ``refine`` goes on from there to the least reprojection
error, by Gauss and Newton's method with Huber's weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

LIMIT = 30.0  # pixels of mean reprojection error up to which views agree
NOISE = 6.0  # pixels by which a detector misses a joint, along each axis, as far as is known before
KNOWN = 4.0  # ... and how many residuals that knowledge counts for
HUBER = 20.0  # pixels from which a reprojection error counts linearly
STEPS = 50  # of Gauss and Newton's method at most; five are common
EXACT = 1e-9  # of the points' distance from the origin: a step as small as this is the last

Rule = Callable[[Array, Array, Array, float], Array]


@dataclass(frozen=True)
class Triangulated:
    """Hold N points: ``points`` (N, 3), ``errors`` (N, V) pixels between each and what was seen.

    ``used`` (N, V) says which views a point was made from; ``covariance`` (N, 3, 3), in the square
    of the points' unit, how sure it is. All but ``used`` is nan where there is no point.
    """

    points: Array
    errors: Array
    used: NDArray[np.bool_]
    covariance: Array


def triangulate(
    seen: Array,
    projections: Array,
    weights: Array,
    limit: float = LIMIT,
    rule: Rule | None = None,
) -> Triangulated:
    """Find points from views that may be wrong: leave those out, refine, and say how sure it is.

    ``rule`` is ``agreeing`` (the default) or ``consensus``. There is no point where the views left
    disagree by more than ``limit`` pixels, or where it would lie behind one of them.
    """
    kept = (rule or agreeing)(seen, projections, weights, limit)
    points = refine(linear(seen, projections, kept), seen, projections, kept)
    good = ahead(points, projections, kept) & (
        _average(distances(points, seen, projections), kept) <= limit
    )
    points, kept = np.where(good[:, None], points, np.nan), np.where(good[:, None], kept, 0)
    return Triangulated(
        points,
        distances(points, seen, projections),
        kept > 0,
        covariance(points, seen, projections, kept),
    )


def linear(seen: Array, projections: Array, weights: Array) -> Array:
    """Solve x (p₃·X) = p₁·X and y (p₃·X) = p₂·X for homogeneous X: (N, 3).

    Both equations of a view are multiplied by its weight, X has length 1, and the squares of what
    is left are least.
    """
    weights = _shown(seen, weights)
    rows = seen[..., None] * projections[..., 2:, :] - projections[..., :2, :]  # (N, V, 2, 4)
    rows = np.where(weights[..., None, None] > 0, rows, 0) * weights[..., None, None]
    right = np.linalg.svd(rows.reshape(len(seen), 2 * seen.shape[1], 4))[2][:, -1]
    enough = (weights > 0).sum(1) >= 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(enough[:, None], right[:, :3] / right[:, 3:], np.nan)


def shown(points: Array, projections: Array) -> Array:
    """Show points (N, 3) in every view: (N, V, 2) pixels without the lens."""
    there = np.einsum("...vij,...j->...vi", projections[..., :3], points) + projections[..., 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        return there[..., :2] / there[..., 2:]


def distances(points: Array, seen: Array, projections: Array) -> Array:
    """Measure reprojection errors (N, V) in pixels; nan where a view shows nothing."""
    return np.linalg.norm(shown(points, projections) - seen, axis=-1)


def ahead(points: Array, projections: Array, weights: Array) -> NDArray[np.bool_]:
    """Say which points (N,) lie in front of all views that are used."""
    depth = np.einsum("...vj,...j->...v", projections[..., 2, :3], points) + projections[..., 2, 3]
    return ((depth > 0) | ~(weights > 0)).all(-1)


def agreeing(seen: Array, projections: Array, weights: Array, limit: float = LIMIT) -> Array:
    """Leave out views that disagree: the weights (N, V) with theirs set to 0.

    While the mean reprojection error of a point is above the limit, the view goes without which it
    is least; two stay.
    """
    kept = _shown(seen, weights)
    for _ in range(kept.shape[1] - 2):
        bad = np.flatnonzero(_doubtful(seen, projections, kept, limit))
        mine = projections if projections.ndim == 3 else projections[bad]
        errors = []
        for view in range(kept.shape[1]):
            without = kept[bad]
            without[:, view] = 0
            errors.append(np.where(kept[bad, view] > 0, _mean(seen[bad], mine, without), np.inf))
        kept[bad, np.argmin(errors, 0)] = 0
    return kept


def consensus(seen: Array, projections: Array, weights: Array, limit: float = LIMIT) -> Array:
    """Keep the largest set of views that agree with a point made by two of them (RANSAC).

    All pairs are tried, in order, where Fischler and Bolles 1981 draw them at random; of equally
    many views those with the least errors are kept. Gives the weights (N, V), others set to 0.
    """
    weights = _shown(seen, weights)
    best, kept = np.full(len(seen), -np.inf), weights
    for pair in combinations(range(weights.shape[1]), 2):
        two = np.zeros_like(weights)
        two[:, pair] = weights[:, pair]
        errors = distances(linear(seen, projections, two), seen, projections)
        near = (weights > 0) & (errors < limit)
        score = near.sum(1) - np.where(near, errors, 0).mean(1) / limit
        better = (near[:, pair].all(1)) & (score > best)
        best = np.where(better, score, best)
        kept = np.where(better[:, None], np.where(near, weights, 0), kept)
    return kept


def refine(
    points: Array, seen: Array, projections: Array, weights: Array, huber: float = HUBER
) -> Array:
    """Move points (N, 3) to where the sum of Huber's losses of weighted distances is least.

    Distances above ``huber`` pixels count linearly. Where a step would not lessen the loss, half of
    it is tried, and so on.
    """
    weights = _shown(seen, weights)
    points, going = points.copy(), np.flatnonzero(np.isfinite(points).all(-1))
    for _ in range(STEPS):
        mine = projections if projections.ndim == 3 else projections[going]
        here = points[going], seen[going], mine, weights[going]
        step = _step(*here, huber)
        step *= _share(step, *here, huber)[:, None]
        points[going] += step
        moved = np.linalg.norm(step, axis=-1) > EXACT * np.linalg.norm(points[going], axis=-1)
        going = going[moved]
        if not len(going):
            break
    return points


def covariance(
    points: Array,
    seen: Array,
    projections: Array,
    weights: Array,
    noise: float = NOISE,
    known: float = KNOWN,
) -> Array:
    """Say how sure points are: (N, 3, 3), in the square of the projections' unit of length.

    It is s² (JᵀWJ)⁻¹ with J the slope of the pixels, and s² what is known of the noise before
    (``noise`` pixels, counting as ``known`` residuals) and the residuals themselves together: of
    2 V - 3 degrees of freedom alone it would be wild (a scaled inverse chi-square prior).
    """
    weights = _shown(seen, weights)
    slope, off = _slope(points, projections), _off(points, seen, projections, weights)
    squares = ((weights[..., None] * off) ** 2).sum((1, 2))
    freedom = np.maximum(2 * (weights > 0).sum(1) - 3, 0)
    variance = (known * noise**2 + squares) / (known + freedom)
    normal = np.einsum("nvki,nv,nvkj->nij", slope, weights**2, slope)
    with np.errstate(invalid="ignore"):
        solid = np.linalg.det(normal) > 0  # not so where all rays are one line
    inverse: Array = np.linalg.inv(np.where(solid[:, None, None], normal, np.eye(3)))
    return np.where(solid, variance, np.nan)[:, None, None] * inverse


def _shown(seen: Array, weights: Array) -> Array:
    """Set weights (N, V) to 0 where nothing is seen; a copy."""
    return np.where(np.isfinite(seen).all(-1) & (weights > 0), weights, 0.0)


def _average(errors: Array, weights: Array) -> Array:
    """Average the errors (N, V) of the views used: (N,); inf where fewer than two are."""
    count = (weights > 0).sum(1)
    total = np.where(weights > 0, errors, 0).sum(1)
    return np.where(count >= 2, total / np.maximum(count, 1), np.inf)


def _mean(seen: Array, projections: Array, weights: Array) -> Array:
    """Triangulate and average the reprojection errors of the views used: (N,)."""
    points = linear(seen, projections, weights)
    return _average(distances(points, seen, projections), weights)


def _doubtful(seen: Array, projections: Array, kept: Array, limit: float) -> NDArray[np.bool_]:
    """Say of which points (N,) a view must be left out: more than two, which do not agree."""
    return ((kept > 0).sum(1) > 2) & ~(_mean(seen, projections, kept) <= limit)


def _slope(points: Array, projections: Array) -> Array:
    """Differentiate the pixels of points (N, 3) by their place: (N, V, 2, 3)."""
    there = np.einsum("...vij,...j->...vi", projections[..., :3], points) + projections[..., 3]
    top, low = projections[..., :2, :3], projections[..., 2:, :3]
    pixels = there[..., :2] / there[..., 2:]
    return (top - pixels[..., None] * low) / there[..., 2:, None]


def _off(points: Array, seen: Array, projections: Array, weights: Array) -> Array:
    """Subtract what was seen from where points are shown: (N, V, 2), 0 for views not used."""
    return np.where(weights[..., None] > 0, shown(points, projections) - seen, 0)


def _loss(points: Array, seen: Array, projections: Array, weights: Array, huber: float) -> Array:
    """Sum Huber's losses of weighted distances: (N,)."""
    far = weights * np.linalg.norm(_off(points, seen, projections, weights), axis=-1)
    return np.where(far <= huber, far**2, 2 * huber * far - huber**2).sum(-1)


def _step(points: Array, seen: Array, projections: Array, weights: Array, huber: float) -> Array:
    """Solve Gauss and Newton's equations for a step (N, 3)."""
    off, slope = _off(points, seen, projections, weights), _slope(points, projections)
    far = weights * np.linalg.norm(off, axis=-1)
    trust = weights**2 * huber / np.maximum(far, huber)
    normal = np.einsum("nvki,nv,nvkj->nij", slope, trust, slope)
    right = np.einsum("nvki,nv,nvk->ni", slope, trust, off)
    damping = 1e-12 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    return -np.linalg.solve(normal + damping, right[..., None])[..., 0]


def _share(
    step: Array, points: Array, seen: Array, projections: Array, weights: Array, huber: float
) -> Array:
    """Find the largest of 1, 1/2, 1/4, ... of a step (N,) that does not add to the loss; else 0."""
    before = _loss(points, seen, projections, weights, huber)
    share = np.ones(len(points))
    for _ in range(8):
        after = _loss(points + share[:, None] * step, seen, projections, weights, huber)
        worse = ~(after <= before)
        if not worse.any():
            return share
        share[worse] /= 2
    return np.where(worse, 0.0, share)
