"""The one exception that a command of this package turns into a sentence instead of a traceback."""


class BuildError(Exception):
    """Something that the person at the keyboard can mend; the message says what is wrong and what to do."""
