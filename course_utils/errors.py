"""What goes wrong for a learner, each with a message that says what to do."""


class CommandError(Exception):
    """What a command of this package turns into a sentence instead of a traceback."""


class CheckpointError(RuntimeError):
    """A model can't be had right now; the message says what is missing and what to do."""


class SettingError(CheckpointError, ValueError):
    """A variable of the environment has a value that the course doesn't know; the message says which it can have."""
