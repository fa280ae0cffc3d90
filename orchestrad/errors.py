"""The three kinds of failure, told apart by what the caller can do about them."""


class OrchestradError(Exception):
    """Base of all errors that orchestrad raises on purpose; its text says what happened, why, and what to do next."""


class Unreachable(OrchestradError):
    """We could not look or ask: look again later. Never to be read as "nothing there"."""


class Refused(OrchestradError):
    """It was understood and declined: a person must change something."""


class Gone(OrchestradError):
    """The thing named is not there any more: that is an answer."""
