"""BlazePose: people, and their joints in the picture and in metres."""
