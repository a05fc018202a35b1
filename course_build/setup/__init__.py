"""What makes the environment that everything runs in: its layers, the lock, pip and uv, and runs without a network."""
