"""Who is who, from frame to frame and from clip to clip."""
