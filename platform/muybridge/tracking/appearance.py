def describe(picture, joints, box):
    import numpy as np

    return np.zeros((len(box), 0), np.float32)
