"""The pages: their staged sources, both renderers, all that is mended after them, the demo, and lesson 2's own blog."""
