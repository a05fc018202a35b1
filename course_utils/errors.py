"""The exceptions of this package, each with a message that says what to do."""


class CommandError(Exception):
    """A mistake that a command of this package tells in a sentence, without a traceback."""


class CheckpointError(RuntimeError):
    """A model can't be had right now; the message says what is missing and what to do."""


class SettingError(CheckpointError, ValueError):
    """A variable of the environment has a value that the course doesn't know; the message says which it can have."""
