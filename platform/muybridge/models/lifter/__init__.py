"""Lift joints seen in one view to three dimensions, after Martinez et al. (2017)."""
