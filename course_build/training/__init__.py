"""The adapters' training: recipes, the data that they learn from, and the data that they never see."""
