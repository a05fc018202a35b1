"""The exception that a command of this package turns into a sentence instead of a traceback."""


class CommandError(Exception):
    """Something that the person at the keyboard can mend; the message says what is wrong and what to do."""
