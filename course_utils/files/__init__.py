"""Files of texts, for `python -m course_utils classify`: read them, classify them, and go on after an interruption."""
