"""The service of `python -m course_utils serve`: the application, the batches of its callers, and the server."""
