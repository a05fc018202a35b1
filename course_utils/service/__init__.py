"""What `python -m course_utils serve` does: the application, the batches of its callers, and the server."""
