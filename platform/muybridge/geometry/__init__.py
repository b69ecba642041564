"""Geometry of pictures and bodies, on numpy arrays; what networks learn through, on tensors.

The conventions of the whole product, stated here and nowhere else:

* A camera's axes are right-handed: x right, y down, z forward. A pose moves world points by
  ``R @ point + t``: the translation comes after the rotation.
* A picture spans [0, width] × [0, height] pixels from its upper left corner; the centre of the
  first pixel lies at (0.5, 0.5). A reference that differs is corrected inside its own pre- and
  postprocessing and nowhere else.
* Boxes are left, top, right, bottom. Angles in pictures turn clockwise as seen, from x to y.
* Units are seconds, pixels, metres and radians; scores run from 0 to 1.
"""
