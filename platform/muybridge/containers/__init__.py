"""Read what official model files come in, without running code from them."""
