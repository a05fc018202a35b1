"""A lesson's run: the kernel that it runs in, what is compared of its outputs, and what they depend on."""
