"""Write a small body as SMPL's authors wrote theirs: by Python 2.7, with chumpy 0.69, scipy 1.2.

python2.7 write.py: body0.pkl, body1.pkl and body2.pkl appear beside it, a protocol each. It has 5
vertices, 6 shapes of which 4 are picked, and numbers counted up; ``J`` is left for chumpy to do.
"""

import os

import chumpy
import cPickle
import numpy
import scipy.sparse

VERTICES = 5


def counted(*shape):
    return numpy.arange(numpy.prod(shape), dtype=float).reshape(shape) / 8


body = {
    "v_template": chumpy.array(counted(VERTICES, 3)),
    "shapedirs": chumpy.array(counted(VERTICES, 3, 6))[:, :, :4],
    "posedirs": -counted(VERTICES, 3, 2),
    "J_regressor": scipy.sparse.csc_matrix(numpy.eye(3, VERTICES)),
    "weights": counted(VERTICES, 2),
    "J": chumpy.array(counted(VERTICES, 3)) * 2,
    "kintree_table": numpy.array([[4294967295, 0, 0], [0, 1, 2]], numpy.uint32),
    "f": numpy.array([[0, 1, 2], [2, 3, 4]], numpy.uint32),
    "bs_style": "lbs",
    "bs_type": "lrotmin",
}
for protocol in (0, 1, 2):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "body" + str(protocol) + ".pkl")
    with open(path, "wb") as file:
        cPickle.dump(body, file, protocol)
