"""Joints in space from pictures of several cameras at once (Iskakov et al., ICCV 2019)."""
