"""The environment that everything runs in: its layers, the lock, pip and uv, and the network switched off."""
