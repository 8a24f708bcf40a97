"""Protected video that waits on disk for its upload: segments, their index, their seal."""
