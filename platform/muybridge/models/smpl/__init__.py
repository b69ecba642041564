"""SMPL's published files: bodies, and the regressors of joints from their vertices."""
