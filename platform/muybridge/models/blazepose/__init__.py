"""BlazePose: one person's joints in the picture and in metres, with hands and feet."""
