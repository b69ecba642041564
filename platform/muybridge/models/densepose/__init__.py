"""DensePose: people, and for every pixel of theirs the body part and its surface coordinates."""
