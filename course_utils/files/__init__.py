"""What `python -m course_utils classify` does: read files of texts, classify them, and go on after an interruption."""
