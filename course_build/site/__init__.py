"""What makes the pages: staged sources, Quarto or the preview renderer, what is mended after them, and the demo."""
