"""The learner's copies of the lessons, and JupyterLab around them: what `make lab` opens."""
