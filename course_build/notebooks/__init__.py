"""What runs a lesson: the kernel, what is compared of its outputs, what they depend on, and how a notebook is read."""
