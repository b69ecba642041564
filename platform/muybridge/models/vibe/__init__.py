"""VIBE: the body of a person in every frame of a video, from a network that reads sequences."""
