"""The commands for a maintainer of *LLMs, Hands On*: prepare models, execute notebooks, render the site, check it all.

`python -m course_build --help` lists the commands. No notebook imports this package.
"""


class BuildError(Exception):
    """Something that the person at the keyboard can mend; the message says what is wrong and what to do.

    The one exception that a command turns into a sentence instead of a traceback.
    """
