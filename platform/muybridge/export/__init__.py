"""Exports: one person of a video in the file formats of other programs."""
