"""What a lesson is beside its cells: its place in the course, its stubs and card, and a new one out of a template."""
