"""Exercises tried out: answers run as a lesson runs them, and wrong ones made by machine."""
