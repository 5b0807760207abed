"""The base class of the paper's eight claims: each is measured, plotted, summarized in a line, and checked."""


class Claim:
    """A property that Kingma & Ba (2015) claim of Adam, in their words, and whether the measurements here support it."""

    words: str
    verdict: str
    title: str  # of its panel

    def measure(self, settings):
        """Measure, and store the numbers as attributes."""
        raise NotImplementedError

    def line(self):
        """A one-line summary of the numbers."""
        raise NotImplementedError

    def draw(self, axes):
        raise NotImplementedError

    def check(self):
        """Raise AssertionError, with the numbers, if they do not support the verdict."""
        raise NotImplementedError
