"""What a maintainer of *LLMs, Hands On* runs: prepare models, execute notebooks, render the site, check it all.

`python -m course_build --help` lists the commands. No notebook imports this package.
"""
