"""Runs of lessons: the kernel, the comparison of outputs, the fingerprint of all they depend on, notebooks read."""
