"""What trains the adapters: the recipes, the data that they learn from, and the data that they never see."""
