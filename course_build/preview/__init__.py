"""The preview renderer, for where there is no Quarto: sources read, rendered by smalldocs, mended, and served."""
