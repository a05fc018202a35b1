"""The classifier that lesson 3 builds by hand, grown up: pipeline, backends, and copies of it on Ray."""
