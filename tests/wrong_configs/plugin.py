from sojourn import Processor


class Tidy(Processor):
    """Does nothing."""


class NoComponent:
    """Is none."""
