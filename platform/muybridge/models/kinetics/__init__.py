"""torchvision's video networks: what is done in a clip, of the 400 classes of Kinetics."""
